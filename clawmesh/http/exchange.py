"""One request and what has come back of it so far."""

from __future__ import annotations

from asyncio import Future
from typing import Protocol

from clawmesh.errors import TransportTimeoutError
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Deadlines


class Sink(Protocol):
    """Receives one response. An exception from either method aborts the exchange and is what its caller gets."""

    def head(self, status: int, headers: Headers, /) -> None:
        """Take the status and header; called once, and not for interim (1xx) responses."""

    def feed(self, data: bytes, /) -> None:
        """Take the next bytes of the body, freed of their chunked coding."""


class Exchange:
    """The state of one exchange; times are in seconds of the loop's clock.

    `done` ends when the response is complete. `steady` says that the last read held a piece of the body and nothing
    that needs a closer look; `dry` counts bytes that were neither header nor body.
    """

    __slots__ = (
        "bodyless",
        "complete",
        "deadlines",
        "done",
        "dry",
        "fields",
        "headed",
        "heard",
        "paused",
        "received",
        "sent",
        "sink",
        "started",
        "steady",
        "until",
    )

    def __init__(self, sink: Sink, deadlines: Deadlines, done: Future[None], now: float, until: float) -> None:
        self.sink = sink
        self.deadlines = deadlines
        self.done = done
        self.started = now
        self.until = until
        self.heard = now
        self.received = 0
        self.dry = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.bodyless = False
        self.sent = False
        self.headed = False
        self.steady = False
        self.complete = False
        self.paused = False

    def overdue(self, now: float) -> TransportTimeoutError | None:
        """Return the deadline that has passed, as an error."""
        deadlines = self.deadlines
        if now >= self.until:
            return TransportTimeoutError(f"the exchange took longer than {deadlines.total:g} s in all", phase="total")
        if self.headed:
            if not self.paused and now >= self.heard + deadlines.silence:
                return TransportTimeoutError(
                    f"nothing arrived for {deadlines.silence:g} s in mid-answer", phase="silence"
                )
        elif now >= self.started + deadlines.head:
            return TransportTimeoutError(f"no answer began within {deadlines.head:g} s", phase="head")
        return None

    def due(self, now: float) -> float:
        """Return the first moment at which a deadline could pass; the silence deadline may begin at any time."""
        silence = (self.heard if self.headed and not self.paused else now) + self.deadlines.silence
        if self.headed:
            return min(silence, self.until)
        return min(silence, self.started + self.deadlines.head, self.until)
