"""Writes responses, whole and as events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from clawmesh.api.openai import event
from clawmesh.api.openai.event import Event, ItemEvent, PartEvent, ResponseEvent, SummaryPart
from clawmesh.api.openai.exchange import Closing
from clawmesh.api.openai.fault import Fault
from clawmesh.api.openai.item import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    INCOMPLETE,
    CallItem,
    Echo,
    Failure,
    Incomplete,
    Item,
    MessageItem,
    OutputText,
    ReasoningItem,
    Refusal,
    Response,
    ResponseTokens,
    Summary,
)
from clawmesh.api.openai.past import PREFIX, identify
from clawmesh.clock import Clock
from clawmesh.ids import Ids
from clawmesh.messages import ToolCall

Kind: TypeAlias = Literal["text", "refusal", "reasoning"]
PREFIXES: Mapping[Kind, str] = {"text": "msg", "refusal": "msg", "reasoning": "rs"}
# Why an answer is no whole one. Of a refusal the text was sent as the answer's before anybody knew.
REASONS: Mapping[str, str] = {
    "length": "max_output_tokens",
    "context_window": "max_output_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
CODES: Mapping[int, str] = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
encode = msgspec.json.Encoder().encode


class ResponseStream:
    """Writes events; `response` is what they add up to at the end."""

    __slots__ = ("_clock", "_id", "_ids", "_kind", "_number", "_output", "_refused", "_texts", "response")

    def __init__(self, echo: Echo, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._number = 0
        self._output: list[Item] = []
        self._kind: Kind | None = None
        self._id = ""
        self._texts: list[str] = []
        self._refused = False
        fields = {name: getattr(echo, name) for name in Echo.__struct_fields__}
        self.response = Response(id="", created_at=int(clock.now()), status=IN_PROGRESS, **fields)

    def begin(self, envelope: str) -> bytes:
        self._stand(id=identify(PREFIX, envelope))
        return self._stands("response.created") + self._stands("response.in_progress")

    def text(self, text: str) -> bytes:
        begun = b"" if self._kind == "text" else self._open("text")
        self._texts.append(text)
        return begun + self._event(
            event.TextDelta(sequence_number=self._next(), output_index=len(self._output), item_id=self._id, delta=text)
        )

    def reasoning(self, text: str) -> bytes:
        begun = b"" if self._kind == "reasoning" else self._open("reasoning")
        self._texts.append(text)
        return begun + self._event(event.SummaryDelta(delta=text, **self._within()))

    def refusal(self, text: str) -> bytes:
        begun = self._open("refusal")
        self._refused = True
        self._texts.append(text)
        return begun + self._event(event.RefusalDelta(delta=text, **self._within()))

    def step(self) -> bytes:
        return self._shut(COMPLETED)

    def close(self, closing: Closing) -> bytes:
        cut = None if self._refused or closing.calls else REASONS.get(closing.report.stop)
        written = [self._shut(INCOMPLETE if cut else COMPLETED)]
        for call in closing.calls:
            written += self._call(call)
        self._stand(
            status=INCOMPLETE if cut else COMPLETED,
            completed_at=None if cut else int(self._clock.now()),
            incomplete_details=Incomplete(cut) if cut else None,
            usage=ResponseTokens.of(closing.report.usage),
        )
        written.append(self._stands("response.incomplete" if cut else "response.completed"))
        return b"".join(written)

    def fail(self, fault: Fault) -> bytes:
        written = self._shut(INCOMPLETE)
        failure = Failure(CODES.get(fault.status, "server_error"), fault.message)
        self._stand(status=FAILED, error=failure)
        return written + self._stands("response.failed")

    def _open(self, kind: Kind) -> bytes:
        """Begin an item, and end the one before it."""
        shut = self._shut(COMPLETED)
        self._kind = kind
        self._id = self._ids.new(PREFIXES[kind])
        added = self._item("response.output_item.added", self._made(kind, "", IN_PROGRESS, empty=True))
        return shut + added + self._part("added", "")

    def _shut(self, status: str) -> bytes:
        """End the item that is open, if one is."""
        if (kind := self._kind) is None:
            return b""
        text = "".join(self._texts)
        done: Event
        if kind == "text":
            done = event.TextDone(text=text, **self._within())
        elif kind == "refusal":
            done = event.RefusalDone(refusal=text, **self._within())
        else:
            done = event.SummaryDone(text=text, **self._within())
        item = self._made(kind, text, status)
        written = self._event(done) + self._part("done", text) + self._item("response.output_item.done", item)
        self._output.append(item)
        self._kind = None
        self._texts = []
        return written

    def _call(self, call: ToolCall) -> Iterator[bytes]:
        self._id = self._ids.new("fc")
        item = CallItem(self._id, COMPLETED, call.id, call.name, call.arguments)
        yield self._item("response.output_item.added", CallItem(self._id, IN_PROGRESS, call.id, call.name, ""))
        yield self._event(event.ArgumentsDelta(delta=call.arguments, **self._within()))
        yield self._event(event.ArgumentsDone(name=call.name, arguments=call.arguments, **self._within()))
        yield self._item("response.output_item.done", item)
        self._output.append(item)

    def _made(self, kind: Kind, text: str, status: str, *, empty: bool = False) -> Item:
        if kind == "reasoning":
            return ReasoningItem(self._id, () if empty else (Summary(text),))
        part = OutputText(text) if kind == "text" else Refusal(text)
        return MessageItem(self._id, status, () if empty else (part,))

    def _part(self, verb: str, text: str) -> bytes:
        if self._kind == "reasoning":
            kind = f"response.reasoning_summary_part.{verb}"
            return self._event(SummaryPart(type=kind, part=Summary(text), **self._within()))
        part = OutputText(text) if self._kind == "text" else Refusal(text)
        return self._event(PartEvent(type=f"response.content_part.{verb}", part=part, **self._within()))

    def _item(self, type: str, item: Item) -> bytes:
        number, index = self._next(), len(self._output)
        return self._event(ItemEvent(type=type, sequence_number=number, output_index=index, item=item))

    def _stands(self, type: str) -> bytes:
        return self._event(ResponseEvent(type=type, sequence_number=self._next(), response=self.response))

    def _stand(self, **news: Any) -> None:
        self.response = replace(self.response, output=tuple(self._output), **news)

    def _within(self) -> dict[str, Any]:
        return {"sequence_number": self._next(), "output_index": len(self._output), "item_id": self._id}

    def _next(self) -> int:
        self._number += 1
        return self._number - 1

    def _event(self, event: Event) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (event.type.encode(), encode(event))


class ResponseWhole:
    """Writes a response at its end: what the events of a stream would have added up to."""

    __slots__ = ("_stream",)

    def __init__(self, stream: ResponseStream) -> None:
        self._stream = stream

    def begin(self, envelope: str) -> bytes:
        self._stream.begin(envelope)
        return b""

    def text(self, text: str) -> bytes:
        self._stream.text(text)
        return b""

    def reasoning(self, text: str) -> bytes:
        self._stream.reasoning(text)
        return b""

    def refusal(self, text: str) -> bytes:
        self._stream.refusal(text)
        return b""

    def step(self) -> bytes:
        self._stream.step()
        return b""

    def close(self, closing: Closing) -> bytes:
        self._stream.close(closing)
        return encode(self._stream.response)

    def fail(self, fault: Fault) -> bytes:
        return fault.body
