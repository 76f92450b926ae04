"""What two readers make of the same answer, in a form that compares."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clawmesh.abc.backend import Reply
from clawmesh.errors import BackendError


@dataclass(frozen=True)
class Reading:
    """Text, reasoning, calls (name, arguments), stop reason, usage by name, or error class."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    stop: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    error: type[BackendError] | None = None


def of_reply(reply: Reply) -> Reading:
    usage = {
        "input": reply.usage.input_tokens,
        "output": reply.usage.output_tokens,
        "cache_read": reply.usage.cache_read_tokens,
        "cache_write": reply.usage.cache_write_tokens,
        "reasoning": reply.usage.reasoning_tokens,
    }
    return Reading(
        text=reply.message.text,
        reasoning=reply.message.reasoning,
        calls=tuple((call.name, arguments(call.arguments)) for call in reply.message.calls),
        stop=reply.stop_detail,
        usage={name: count for name, count in usage.items() if count},
    )


def counted(**counts: int | None) -> dict[str, int]:
    """Return the counts that are there and not zero."""
    return {name: count for name, count in counts.items() if count}


def arguments(text: str) -> Any:
    """Return what arguments say; an empty text is what a call without arguments looks like."""
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def reading_of(read: Callable[[], Reading]) -> Reading:
    """Run a reader and return what it read, or the class of its error."""
    try:
        return read()
    except BackendError as error:
        return Reading(error=type(error))
