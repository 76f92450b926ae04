"""One envelope in the hands of the engine: queued, handled, ended."""

from __future__ import annotations

from asyncio import Future

import anyio

from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Emit


class Delivery:
    """Carries an envelope to its outcome; `cancel` ends it early, queued or running."""

    __slots__ = ("cancelled", "emit", "envelope", "outcome", "scope")

    def __init__(self, envelope: Envelope, outcome: Future[Outcome], emit: Emit) -> None:
        self.envelope = envelope
        self.outcome = outcome
        self.emit = emit
        self.scope: anyio.CancelScope | None = None
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        if self.scope is not None:
            self.scope.cancel()

    def end(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)
