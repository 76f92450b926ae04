"""Reads answers of the Messages API.

Source: Anthropic API reference, "Messages" and "Streaming messages". A streamed answer is put together into the same
blocks that a whole body has; from there on there is one path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.abc.backend import Reply, Stop
from clawmesh.errors import ReplyError, TruncatedReplyError
from clawmesh.http.lines import EventStream
from clawmesh.ids import Ids
from clawmesh.messages import Part, Usage
from clawmesh.provider import fault
from clawmesh.provider.assembly import Ending, Voice, conclude

from .block import Block, Delta

STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window",
}


CUT = frozenset({"max_tokens", "model_context_window_exceeded"})


class OutputDetails(Struct, gc=False):
    thinking_tokens: int | None = None


class Tokens(Struct, gc=False):
    """Token counts; in a stream each one overrides what was said before, because they are cumulative."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class Opening(Struct, gc=False):
    """A message: empty at the head of a stream, or whole."""

    content: list[dict[str, Any]] | None = None
    stop_reason: str | None = None
    usage: Tokens | None = None
    id: str | None = None
    model: str | None = None
    error: Any = None


class Event(Struct, gc=False):
    type: str | None = None
    index: int = 0
    message: Opening | None = None
    content_block: dict[str, Any] | None = None
    delta: Delta | None = None
    usage: Tokens | None = None


decode_event = msgspec.json.Decoder(Event).decode
decode_message = msgspec.json.Decoder(Opening).decode


class Answer:
    """Decodes one answer."""

    __slots__ = ("_blocks", "_done", "_id", "_ids", "_model", "_provider", "_stop", "_usage", "_voice")

    def __init__(self, voice: Voice, ids: Ids, provider: str) -> None:
        self._voice = voice
        self._ids = ids
        self._provider = provider
        self._blocks: dict[int, Block] = {}
        self._stop = ""
        self._usage = Usage()
        self._done = False
        self._model = self._id = ""

    @property
    def complete(self) -> bool:
        return self._done

    def cutter(self) -> EventStream:
        return EventStream(self.event)

    def event(self, name: str, data: bytes) -> None:
        event = decode_event(data)
        match event.type or name:
            case "content_block_delta":
                self._grow(event.index, event.delta)
            case "content_block_start":
                self._start(event.index, event.content_block or {})
            case "message_start":
                self._open(event.message)
            case "message_delta":
                self._end(event)
            case "message_stop":
                self._done = True
            case "error":
                raise fault.error(fault.parse(data))

    def whole(self, body: bytes) -> None:
        message = decode_message(body)
        if message.error or message.content is None:
            raise fault.error(fault.parse(body)) if message.error else ReplyError("the answer has no content")
        self._open(message)
        self._stop = message.stop_reason or ""
        self._blocks = dict(enumerate(map(Block, message.content)))
        # A body that was cut does not show whether its last call is whole, so that call is not believed.
        if self._stop in CUT and message.content and message.content[-1].get("type") == "tool_use":
            self._blocks.popitem()
        self._done = True

    def reply(self) -> Reply:
        if not self._done:
            raise TruncatedReplyError("the stream ended without message_stop")
        ending = Ending(
            stop=STOPS.get(self._stop, "end"), detail=self._stop, usage=self._usage, model=self._model, id=self._id
        )
        return conclude(self._parts(), ending, self._voice, self._ids)

    def _open(self, message: Opening | None) -> None:
        if message:
            self._id, self._model = message.id or "", message.model or ""
            self._count(message.usage)

    def _start(self, index: int, value: dict[str, Any]) -> None:
        self._blocks[index] = block = Block(value)
        block.open()
        self._show(value)

    def _grow(self, index: int, delta: Delta | None) -> None:
        block = self._blocks.get(index)
        if block is None or delta is None:
            raise ReplyError(f"the stream goes on with block {index}, which it has not begun")
        block.grow(delta)
        if delta.text:
            self._voice.text(delta.text)
        elif delta.thinking:
            self._voice.reasoning(delta.thinking)

    def _show(self, value: Mapping[str, Any]) -> None:
        """Pass on what a block starts with, which is nothing with the provider itself."""
        if value.get("type") == "text" and value.get("text"):
            self._voice.text(value["text"])
        elif value.get("type") == "thinking" and value.get("thinking"):
            self._voice.reasoning(value["thinking"])

    def _end(self, event: Event) -> None:
        if event.delta and event.delta.stop_reason:
            self._stop = event.delta.stop_reason
        self._count(event.usage)

    def _count(self, tokens: Tokens | None) -> None:
        if tokens is None:
            return
        before, details = self._usage, tokens.output_tokens_details
        inputs = _either(tokens.input_tokens, before.input_tokens)
        outputs = _either(tokens.output_tokens, before.output_tokens)
        reads = _either(tokens.cache_read_input_tokens, before.cache_read_tokens)
        writes = _either(tokens.cache_creation_input_tokens, before.cache_write_tokens)
        self._usage = Usage(
            input_tokens=inputs,
            output_tokens=outputs,
            cache_read_tokens=reads,
            cache_write_tokens=writes,
            reasoning_tokens=_either(details.thinking_tokens if details else None, before.reasoning_tokens),
            total_tokens=inputs + outputs + reads + writes,
        )

    def _parts(self) -> Iterator[Part]:
        for _, block in sorted(self._blocks.items(), key=lambda item: item[0]):
            yield from block.parts(self._provider)


def _either(said: int | None, before: int) -> int:
    return before if said is None else said
