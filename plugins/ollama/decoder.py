"""Reads answers of Ollama's chat API.

Source: Ollama API reference, "Generate a chat message". A stream is lines of JSON, a whole body is one such line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.abc.backend import Reply, Stop
from clawmesh.errors import TruncatedReplyError
from clawmesh.http.lines import LineStream
from clawmesh.ids import Ids
from clawmesh.messages import Part, Reasoning, Text, ToolCall, Usage
from clawmesh.provider import fault
from clawmesh.provider.assembly import Ending, Voice, conclude

STOPS: dict[str, Stop] = {"length": "length"}


class Function(Struct, gc=False):
    name: str = ""
    arguments: Any = None


class Call(Struct, gc=False):
    function: Function
    id: str | None = None


class Said(Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Line(Struct, gc=False):
    message: Said | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    model: str | None = None
    error: Any = None


decode = msgspec.json.Decoder(Line).decode


class Answer:
    """Decodes one answer."""

    __slots__ = ("_calls", "_ids", "_last", "_provider", "_texts", "_thoughts", "_voice")

    def __init__(self, voice: Voice, ids: Ids, provider: str) -> None:
        self._voice = voice
        self._ids = ids
        self._provider = provider
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._last: Line | None = None

    @property
    def complete(self) -> bool:
        return self._last is not None

    def cutter(self) -> LineStream:
        return LineStream(self.whole)

    def whole(self, body: bytes) -> None:
        line = decode(body)
        if line.error:
            raise fault.error(fault.parse(body))
        if line.message:
            self._add(line.message)
        if line.done:
            self._last = line

    def reply(self) -> Reply:
        last = self._last
        if last is None:
            raise TruncatedReplyError('the stream ended without "done": true')
        taken, given = last.prompt_eval_count or 0, last.eval_count or 0
        ending = Ending(
            stop=STOPS.get(last.done_reason or "", "end"),
            detail=last.done_reason or "",
            usage=Usage(input_tokens=taken, output_tokens=given, total_tokens=taken + given),
            model=last.model or "",
        )
        return conclude(self._parts(), ending, self._voice, self._ids)

    def _add(self, said: Said) -> None:
        if said.thinking:
            self._thoughts.append(said.thinking)
            self._voice.reasoning(said.thinking)
        if said.content:
            self._texts.append(said.content)
            self._voice.text(said.content)
        for call in said.tool_calls or ():
            self._calls.append(ToolCall(call.id or "", call.function.name, _text(call.function.arguments)))

    def _parts(self) -> Iterator[Part]:
        if self._thoughts:
            thinking = "".join(self._thoughts)
            yield Reasoning(thinking, self._provider, msgspec.json.encode({"thinking": thinking}))
        if self._texts:
            yield Text("".join(self._texts))
        yield from self._calls


def _text(arguments: Any) -> str:
    """Return arguments as JSON text; Ollama gives an object, some who imitate it the text itself."""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()
