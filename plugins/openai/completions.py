"""Reads answers of the chat completions API, OpenAI's and those of the many servers which speak it.

Source: OpenAI API reference, "Chat completions" (object and chunk). Servers differ in what they leave out, repeat or
add: each field may be absent or null, and what a reply does not need is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.abc.backend import Reply, Stop
from clawmesh.errors import ReplyError, TruncatedReplyError
from clawmesh.http.lines import EventStream
from clawmesh.ids import Ids
from clawmesh.messages import Opaque, Part, Reasoning, Text, ToolCall, Usage
from clawmesh.provider import fault
from clawmesh.provider.assembly import Ending, Voice, conclude

from .calls import CallDelta, Calls, Function
from .thoughts import Thoughts
from .tokens import CompletionTokens

STOPS: dict[str, Stop] = {
    "stop": "end",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}
FAILED_STOPS = frozenset({"error", "network_error", "insufficient_system_resource"})


class Delta(Struct, gc=False):
    """A piece of a message, or a whole one: both have the same fields."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[CallDelta] | None = None
    function_call: Function | None = None
    refusal: str | None = None
    extra_content: Any = None


class Choice(Struct, gc=False):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None


class Chunk(Struct, gc=False):
    """One event of a stream, or a whole completion."""

    choices: list[Choice] | None = None
    usage: CompletionTokens | None = None
    error: Any = None
    id: str | None = None
    model: str | None = None


decode = msgspec.json.Decoder(Chunk).decode


class Completion:
    """Decodes one answer; a whole body is a stream of one chunk."""

    __slots__ = (
        "_calls",
        "_choice",
        "_done",
        "_extra",
        "_finish",
        "_id",
        "_ids",
        "_model",
        "_provider",
        "_refused",
        "_texts",
        "_thoughts",
        "_tokens",
        "_voice",
    )

    def __init__(self, voice: Voice, ids: Ids, provider: str) -> None:
        self._voice = voice
        self._ids = ids
        self._provider = provider
        self._texts: list[str] = []
        self._thoughts: Thoughts | None = None
        self._calls: Calls | None = None
        self._extra: Any = None
        self._choice: int | None = None
        self._finish: str | None = None
        self._tokens: CompletionTokens | None = None
        self._refused = self._done = False
        self._model = self._id = ""

    @property
    def complete(self) -> bool:
        return self._done

    def cutter(self) -> EventStream:
        return EventStream(self.event)

    def event(self, event: str, data: bytes) -> None:
        if data.startswith(b"[DONE]"):
            self._done = True
        elif event == "error":
            raise fault.error(fault.parse(data))
        elif data:
            self._take(decode(data))

    def whole(self, body: bytes) -> None:
        self._take(decode(body))
        self._done = True

    def reply(self) -> Reply:
        if self._finish in FAILED_STOPS:
            raise fault.error(fault.Fault(f"the model stopped: {self._finish}", (str(self._finish),)))
        # Some servers end with a finish reason alone; none ends an answer with neither.
        if not self._done and not self._finish:
            raise TruncatedReplyError("the stream ended without a finish reason and without [DONE]")
        if self._choice is None:
            raise ReplyError("the answer has no choices")
        ending = Ending(
            stop="refusal" if self._refused else STOPS.get(self._finish or "", "end"),
            detail=self._finish or "",
            usage=self._tokens.usage if self._tokens else Usage(),
            model=self._model,
            id=self._id,
        )
        return conclude(self._parts(), ending, self._voice, self._ids)

    def _take(self, chunk: Chunk) -> None:
        if chunk.error:
            raise fault.error(fault.read({"error": chunk.error}))
        for choice in chunk.choices or ():
            self._choose(choice)
        if chunk.usage:
            self._tokens = chunk.usage
        if not self._id:
            self._id = chunk.id or ""
            self._model = chunk.model or ""

    def _choose(self, choice: Choice) -> None:
        index = choice.index or 0
        if self._choice is None:
            self._choice = index
        if index != self._choice:
            return  # one answer is asked for; a server that gives more is not believed
        delta = choice.delta or choice.message
        if delta:
            self._add(delta)
        if choice.finish_reason:
            self._finish = choice.finish_reason

    def _add(self, delta: Delta) -> None:
        content = delta.content
        if content.__class__ is str:
            if content:
                self._say(content)
        elif content:
            self._add_blocks(content)
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            text = self._thinking().add(delta.reasoning_content, delta.reasoning, delta.reasoning_details)
            if text:
                self._voice.reasoning(text)
        if delta.tool_calls:
            self._calling().add(delta.tool_calls)
        if delta.function_call:
            self._calling().add([CallDelta(function=delta.function_call, index=-1)])
        if delta.refusal:
            self._refused = True
            self._say(delta.refusal)
        if delta.extra_content:
            self._extra = delta.extra_content

    def _say(self, text: str) -> None:
        self._texts.append(text)
        self._voice.text(text)

    def _add_blocks(self, blocks: Any) -> None:
        """Take content given as blocks, as Mistral gives it when a model thinks."""
        for block in blocks if isinstance(blocks, list) else ():
            if not isinstance(block, dict):
                continue
            if isinstance(text := block.get("text"), str) and text:
                self._say(text)
            elif thought := self._thinking().add_block(block):
                self._voice.reasoning(thought)

    # Both are made when needed: of ten thousand answers under way most have neither.

    def _thinking(self) -> Thoughts:
        if self._thoughts is None:
            self._thoughts = Thoughts()
        return self._thoughts

    def _calling(self) -> Calls:
        if self._calls is None:
            self._calls = Calls()
        return self._calls

    def _parts(self) -> Iterator[Part]:
        if self._thoughts:
            yield Reasoning(self._thoughts.text, self._provider, self._thoughts.data)
        if self._texts:
            yield Text("".join(self._texts))
        calls = self._calling()
        if extra := calls.extras(self._extra):
            yield Opaque(self._provider, msgspec.json.encode(extra))
        for call in calls:
            yield ToolCall(call.id, call.name, call.text)
