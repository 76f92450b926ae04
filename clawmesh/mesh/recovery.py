"""After a crash: what was under way goes on, and what brings the process down is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import anyio
from msgspec.structs import replace

from clawmesh.abc.journal import Kind, Story
from clawmesh.clock import Clock
from clawmesh.errors import ClawmeshError, FailedError
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Envelope
from clawmesh.mesh.record import unpack_envelope

TRIES = 3
SHOWN = 3
# How long a suspect has the process to itself, twice as long after each time that it was acquitted, up to LONGEST;
# and how long all of them have together that were never acquitted. In seconds.
ALONE = 0.2
LONGEST = 10.0
ALL_ALONE = 3.0


class Receiver(Protocol):
    """The part of the engine that recovery needs."""

    def resume(self, delivery: Delivery) -> None:
        """Put an envelope that was accepted before back into its mailbox, where it rests until `release`."""

    def release(self, delivery: Delivery) -> None:
        """Let a pump have the mailbox that an envelope was put back into."""

    def acquit(self, delivery: Delivery) -> None:
        """Note that its tries so far do not count."""

    def warn(self, text: str) -> None:
        """Say what nobody else would."""

    def bury(self, delivery: Delivery, reason: FailedError) -> None:
        """End an envelope that is not to be handled any more."""


def tries(story: Story) -> int:
    """Return at how many ends of the process an envelope was in hand, without a step since the first of them."""
    count = 1
    for entry in story:
        if entry.kind is Kind.TAKEN:
            count += 1
        elif entry.kind is Kind.RELEASED:
            count = 0
        elif entry.kind in (Kind.STEP, Kind.RESULT):
            count = 1
    return count


def time_alone(story: Story) -> float:
    """Return for how many seconds a suspect is alone: who was acquitted before may need longer to do its harm."""
    return min(LONGEST, ALONE * 2.0 ** sum(entry.kind is Kind.RELEASED for entry in story))


async def recover(pending: Sequence[Story], clock: Clock, receiver: Receiver) -> None:
    """Bring pending envelopes back, in their order.

    One that was in hand at three crashes is set aside. Those that were at two are suspects: they go first, each alone
    for a moment, so that the next crash, if there is one, has but one cause. By then all are in their mailboxes: what a
    suspect has sent before is found there, and what it sends now comes after what waits.
    """
    suspects: list[Delivery] = []
    others: list[Delivery] = []
    for story in pending:
        try:
            delivery = Delivery(_envelope(story, clock), story=story)
        except ClawmeshError as error:
            receiver.warn(f"{story[0].envelope} stays in the journal as it is: {error}")
            continue
        count = tries(story)
        if count >= TRIES:
            receiver.bury(delivery, FailedError(f"the process ended {count} times while {delivery.envelope.to} had it"))
            continue
        receiver.resume(delivery)
        (suspects if count == TRIES - 1 else others).append(delivery)
    if suspects:
        ids = ", ".join([*(each.envelope.id for each in suspects[:SHOWN]), *(["…"] if len(suspects) > SHOWN else [])])
        receiver.warn(f"in hand when the process ended, {TRIES - 1} times; tried once more: {ids}")
    # A session has at most one in hand, its oldest: that suspects go first changes no order.
    await _alone(suspects, clock, receiver)
    for delivery in others:
        receiver.release(delivery)


def _envelope(story: Story, clock: Clock) -> Envelope:
    """Return the envelope of a story; a clock that was set back gives it no more time than it had at first."""
    envelope, now = unpack_envelope(story[0].data, clock), clock.monotonic()
    given = clock.now() + envelope.deadline - now - story[0].at
    return replace(envelope, deadline=min(envelope.deadline, now + given))


async def _alone(suspects: Sequence[Delivery], clock: Clock, receiver: Receiver) -> None:
    until = clock.monotonic() + ALL_ALONE
    for delivery in suspects:
        seconds = time_alone(delivery.story)
        # What goes beyond the usual is not at the others' cost.
        until += seconds if seconds > ALONE else 0.0
        delivery.counted = clock.monotonic() < until
        receiver.release(delivery)
        if delivery.counted:
            waiter = delivery.waiter()
            with anyio.move_on_after(seconds):
                await waiter
            delivery.leave(waiter, None)
            delivery.detached = True
            if delivery.outcome is None:
                receiver.acquit(delivery)
