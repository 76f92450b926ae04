"""Outcomes that come of time and of closing, not of an answer."""

from __future__ import annotations

from asyncio import Future

from clawmesh.errors import ExpiredError, FailedError, WithdrawnError
from clawmesh.mesh.envelope import Ending, Envelope, Outcome

CLOSED = Outcome(Ending.DEAD, error=FailedError("the mesh was closed before the answer"))
"""What those hear who still wait when the mesh closes; in the journal their envelopes stay pending."""


def expire(waiter: Future[Outcome], envelope: Envelope) -> None:
    """Tell one who waits that the deadline has passed."""
    if not waiter.done():
        error = ExpiredError(f"no answer from {envelope.to} before the deadline")
        waiter.set_result(Outcome(Ending.EXPIRED, error=error))


def interrupted(envelope: Envelope, now: float, *, withdrawn: bool = False) -> Outcome:
    """Return the outcome of what was stopped: withdrawn, out of time, or nobody waits for it any more."""
    if withdrawn:
        return Outcome(Ending.DEAD, error=WithdrawnError(f"what was asked of {envelope.to} was withdrawn"))
    if now >= envelope.deadline:
        return Outcome(Ending.EXPIRED, error=ExpiredError(f"{envelope.to} did not finish before the deadline"))
    return Outcome(Ending.DEAD, error=ExpiredError(f"nobody waits any more for the answer of {envelope.to}"))
