"""One envelope in the hands of the engine: queued, handled, ended."""

from __future__ import annotations

from asyncio import Future

import anyio

from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Emit


class Delivery:
    """Carries an envelope to its outcome; `scope` is there while a handler runs."""

    __slots__ = ("emit", "ended", "envelope", "outcome", "scope")

    def __init__(self, envelope: Envelope, outcome: Future[Outcome], emit: Emit) -> None:
        self.envelope = envelope
        self.outcome = outcome
        self.emit = emit
        self.scope: anyio.CancelScope | None = None
        self.ended = False

    def end(self, outcome: Outcome) -> None:
        self.ended = True
        # Whoever waited may have left, which cancels the future.
        if not self.outcome.done():
            self.outcome.set_result(outcome)
