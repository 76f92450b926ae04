"""What was said before, as models take it: every call has its result, right after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from clawmesh.agent.toolbox import failed
from clawmesh.messages import Message, Part, ToolCall, ToolResult


def settled(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return messages in which results stand together after their calls; a call without one gets a failed one.

    A caller who was given calls to answer may answer only some, or say something else; results of nothing are left out,
    and those that do not say the name of their tool are given it.
    """
    settled: list[Message] = []
    open_calls: dict[str, ToolCall] = {}
    results: list[Part] = []

    def close() -> None:
        results.extend(failed(call, "no result was given") for call in open_calls.values())
        open_calls.clear()
        if results:
            settled.append(Message("tool", tuple(results)))
            results.clear()

    for message in messages:
        if message.role == "tool":
            for part in message.parts:
                if isinstance(part, ToolResult) and (call := open_calls.pop(part.call, None)) is not None:
                    results.append(part if part.name else replace(part, name=call.name))
            continue
        close()
        settled.append(message)
        open_calls.update({call.id: call for call in message.calls})
    close()
    return tuple(settled)


def unsettled(history: Sequence[Message]) -> bool:
    """Whether calls, or results of some of them, are the last that was said: what comes now may answer the rest."""
    return bool(history) and (history[-1].role == "tool" or bool(history[-1].calls))
