"""A backend that needs no model: it answers by rules, the same way every time, offline.

Demonstrations, tests and benchmarks use it, and it is a place to start before a key is at hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import anyio
from msgspec import Struct

from clawmesh import Emit, Message, Part, Reasoning, Reply, Request, Services, Stop, Text, ToolCall, ToolResult, Usage
from clawmesh.errors import BackendError, OverloadedError, QuotaError, RateLimitError, TruncatedReplyError

_FIELD = re.compile(r"\{(\w+)\}")
_PIECE = re.compile(r"\s*\S+\s*$|\s*\S+")
_FAULTS: Mapping[str, type[BackendError]] = {
    "overloaded": OverloadedError,
    "quota": QuotaError,
    "rate_limit": RateLimitError,
    "truncated": TruncatedReplyError,
}


class Call(Struct, frozen=True):
    """A tool to call, with its arguments."""

    tool: str
    arguments: Mapping[str, Any] = {}


class Rule(Struct, frozen=True):
    """Says what to do in one situation; the first rule that fits is taken.

    It fits if `model` is the agent's model (or empty), `when` is found in the last message from outside (a regular
    expression, or empty), `after` is the tool whose result has just come (empty: none has), and `turn` is the number
    of that message in the session, from 1 (or 0: any). `say`, `think` and string arguments may use `{text}` (that
    message), `{result}` (what the tools have just given), a tool's name (what it gave last in this exchange) and the
    groups of `when` as `{1}` or `{name}`.
    """

    model: str = ""
    when: str = ""
    after: str = ""
    turn: int = 0
    think: str = ""
    say: str = ""
    calls: Sequence[Call] = ()
    fail: Literal["", "overloaded", "quota", "rate_limit", "truncated"] = ""


class Scripted:
    """Plays rules, a word at a time."""

    def __init__(self, rules: Sequence[Rule], pace: float) -> None:
        self._rules = [(rule, re.compile(rule.when)) for rule in rules]
        self._pace = pace

    async def complete(self, request: Request, emit: Emit) -> Reply:
        rule, fields = self._choose(request)
        if rule.fail:
            raise _FAULTS[rule.fail](f"the script says: {rule.fail}")
        thought, said = _filled(rule.think, fields), _filled(rule.say, fields)
        for word in _PIECE.findall(thought):
            emit(Reasoning(word))
            await anyio.sleep(self._pace)
        for word in _PIECE.findall(said):
            emit(Text(word))
            await anyio.sleep(self._pace)
        await anyio.lowlevel.checkpoint()
        calls = [
            ToolCall(f"call_{len(request.messages)}_{index}", call.tool, json.dumps(_filled(call.arguments, fields)))
            for index, call in enumerate(rule.calls)
        ]
        for call in calls:
            emit(call)
        parts: list[Part] = [*([Reasoning(thought)] if thought else []), *([Text(said)] if said else []), *calls]
        stop: Stop = "tool_calls" if calls else "end"
        reply = Message("assistant", tuple(parts))
        return Reply(message=reply, stop=stop, usage=_usage(request, thought + said), model=request.model)

    def _choose(self, request: Request) -> tuple[Rule, dict[str, str]]:
        asked = _asked(request.messages)
        exchange = request.messages[asked[-1] :] if asked else ()
        text = exchange[0].text if exchange else ""
        results = [part for message in exchange[-1:] for part in message.parts if isinstance(part, ToolResult)]
        fields = {**_given(exchange), "text": text, "result": _joined(results)}
        for rule, when in self._rules:
            found = when.search(text)
            came = rule.after in {result.name for result in results} if rule.after else not results
            if found and came and rule.model in ("", request.model) and rule.turn in (0, len(asked)):
                numbered = {str(index): group or "" for index, group in enumerate(found.groups(), 1)}
                return rule, {**fields, **numbered, **{name: group or "" for name, group in found.groupdict().items()}}
        return Rule(say="{result}" if results else "You said: {text}"), fields


def _asked(messages: Sequence[Message]) -> list[int]:
    """Return where messages from outside are: the user's, or else the last one that is not the model's, or the last."""
    by_user = [index for index, message in enumerate(messages) if message.role == "user"]
    others = [index for index, message in enumerate(messages) if message.role != "assistant"]
    return by_user or others[-1:] or list(range(len(messages)))[-1:]


def _given(exchange: Sequence[Message]) -> dict[str, str]:
    """Return what each tool gave last in this exchange."""
    steps = [[part for part in message.parts if isinstance(part, ToolResult)] for message in exchange]
    return {
        name: _joined([result for result in step if result.name == name])
        for step in steps
        for name in {result.name for result in step}
    }


def _joined(results: Sequence[ToolResult]) -> str:
    return "\n".join(result.text for result in results)


def _filled(template: Any, fields: Mapping[str, str]) -> Any:
    if isinstance(template, str):
        return _FIELD.sub(lambda found: fields.get(found[1], found[0]), template)
    if isinstance(template, Mapping):
        return {key: _filled(value, fields) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(value, fields) for value in template]
    return template


def _usage(request: Request, said: str) -> Usage:
    heard = sum(len(message.text.split()) for message in request.messages) + len(request.instructions.split())
    spoken = len(said.split())
    return Usage(input_tokens=heard, output_tokens=spoken, total_tokens=heard + spoken)


def scripted(_services: Services, /, *, rules: Sequence[Rule] = (), pace: float = 0.0) -> Scripted:
    """Answer by `rules`, with `pace` seconds between words; without a rule that fits, repeat what was said."""
    return Scripted(rules, pace)


def register_backends() -> Mapping[str, Any]:
    """Offer the type `scripted`."""
    return {"scripted": scripted}
