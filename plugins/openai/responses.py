"""Reads answers of the Responses API.

Source: OpenAI API reference, "The response object" and "Streaming events". Deltas are for showing; the reply is made
of the whole items, which the last event repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.abc.backend import Reply, Stop
from clawmesh.errors import BackendError, ReplyError, TruncatedReplyError
from clawmesh.http.lines import EventStream
from clawmesh.ids import Ids
from clawmesh.messages import Usage
from clawmesh.provider import fault
from clawmesh.provider.assembly import Ending, Voice, conclude

from .item import Item, parts, refused
from .tokens import ResponseTokens

TEXTS = frozenset({"response.output_text.delta", "response.refusal.delta"})
THOUGHTS = frozenset({"response.reasoning_text.delta", "response.reasoning_summary_text.delta"})
ENDS = frozenset({"response.completed", "response.incomplete", "response.done"})
FAILURES = frozenset({"failed", "cancelled"})
# A response that waits or runs in the background has said nothing yet: whoever asked may ask again.
UNFINISHED = frozenset({"queued", "in_progress"})
NOTHING = msgspec.Raw(b"null")


class Incomplete(Struct, gc=False):
    reason: str | None = None


class Response(Struct, gc=False):
    output: list[Item] | None = None
    status: str | None = None
    error: Any = None
    incomplete_details: Incomplete | None = None
    usage: ResponseTokens | None = None
    id: str | None = None
    model: str | None = None


class Event(Struct, gc=False):
    """One event; the response inside is read only where it is final, because it is large and often repeated."""

    type: str | None = None
    delta: str | None = None
    output_index: int = 0
    item: Item | None = None
    response: msgspec.Raw = NOTHING


decode_event = msgspec.json.Decoder(Event).decode
decode_response = msgspec.json.Decoder(Response).decode


class Answer:
    """Decodes one answer."""

    __slots__ = ("_ids", "_items", "_provider", "_response", "_voice")

    def __init__(self, voice: Voice, ids: Ids, provider: str) -> None:
        self._voice = voice
        self._ids = ids
        self._provider = provider
        self._items: dict[int, Item] = {}
        self._response: Response | None = None

    @property
    def complete(self) -> bool:
        return self._response is not None

    def cutter(self) -> EventStream:
        return EventStream(self.event)

    def event(self, name: str, data: bytes) -> None:
        if data.startswith(b"[DONE]"):
            return
        event = decode_event(data)
        kind = event.type or name
        if kind in TEXTS:
            self._voice.text(event.delta or "")
        elif kind in THOUGHTS:
            self._voice.reasoning(event.delta or "")
        elif kind == "response.output_item.done" and event.item is not None:
            self._items[event.output_index] = event.item
        elif kind in ENDS:
            self._response = decode_response(event.response)
        elif kind == "response.failed":
            raise _failure(decode_response(event.response))
        elif kind == "error":
            raise fault.error(fault.parse(data))

    def whole(self, body: bytes) -> None:
        response = decode_response(body)
        if response.error or response.status in FAILURES:
            raise _failure(response)
        if response.output is None:
            raise ReplyError("the answer has no output")
        self._response = response

    def reply(self) -> Reply:
        response = self._response
        if response is None:
            raise TruncatedReplyError("the stream ended without response.completed")
        items = response.output or [item for _, item in sorted(self._items.items(), key=lambda pair: pair[0])]
        stop, detail = _stop(response, items)
        ending = Ending(
            stop=stop,
            detail=detail,
            usage=response.usage.usage if response.usage else Usage(),
            model=response.model or "",
            id=response.id or "",
        )
        return conclude(
            (part for item in items for part in parts(item, self._provider)), ending, self._voice, self._ids
        )


def _stop(response: Response, items: Sequence[Item]) -> tuple[Stop, str]:
    """Return why the answer ended, in our words and in the provider's."""
    if response.status == "incomplete":
        reason = (response.incomplete_details.reason if response.incomplete_details else None) or "incomplete"
        return ("content_filter" if reason == "content_filter" else "length"), reason
    if response.status in UNFINISHED:
        return "pause", response.status
    return ("refusal" if any(map(refused, items)) else "end"), response.status or ""


def _failure(response: Response) -> BackendError:
    said = (
        fault.read({"error": response.error}) if response.error else fault.Fault(f"the response is {response.status}")
    )
    return fault.error(said)
