"""What the engine writes into the journal, and finds there again."""

from __future__ import annotations

from asyncio import timeout
from collections.abc import Callable, Sequence

from clawmesh.abc.journal import Entry, Journal, Kind, Story
from clawmesh.clock import Clock
from clawmesh.errors import StorageError, WithdrawnError
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.ending import CLOSED
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.record import pack_envelope, pack_outcome, unpack_envelope, unpack_outcome
from clawmesh.mesh.register import scoped

# How long after its deadline a caller may still hear that something has reached the disk, in seconds.
GRACE = 5.0


class Log:
    """The journal as the engine uses it; `warn` hears what nobody else would."""

    def __init__(self, journal: Journal, clock: Clock, warn: Callable[[str], None]) -> None:
        self.journal = journal
        self._clock = clock
        self._warn = warn
        self._position = 0

    async def pending(self) -> Sequence[Story]:
        """Return the stories of what has no outcome; raises StorageError where the journal cannot be read."""
        return await self.journal.reader.pending()

    def check(self) -> None:
        """Raise StorageError while nothing can be written."""
        if trouble := self.journal.trouble:
            raise StorageError(f"nothing can be accepted: {trouble}")

    def note(self, kind: Kind, id: str, data: bytes = b"") -> int:
        """Write down what happened to an envelope; return the journal's position.

        Raises:
            StorageError: the journal takes nothing.
        """
        return self._append(Entry(kind, id, self._clock.now(), data))

    def accepted(self, delivery: Delivery) -> None:
        """Write down an envelope; raises as `note` does."""
        envelope = delivery.envelope
        data, key = pack_envelope(envelope, self._clock), scoped(envelope) if envelope.key else ""
        entry = Entry(Kind.ACCEPTED, envelope.id, self._clock.now(), data, str(envelope.to), key)
        delivery.accepted = self._append(entry)

    async def taken(self, delivery: Delivery) -> None:
        """Write down that an envelope is handled once more; on return that is on disk. Raises as `note` does."""
        if delivery.counted:
            await self.journal.durable(self.note(Kind.TAKEN, delivery.envelope.id))

    def ended(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Write down an outcome and return it, or the failure to do so.

        What the mesh is closed over stays pending, and what nobody hears of becomes a dead letter.
        """
        id = delivery.envelope.id
        try:
            if outcome is CLOSED:
                self.note(Kind.RELEASED, id)
                return outcome
            delivery.recorded = self.note(Kind.ENDED, id, pack_outcome(outcome, delivery.taken))
            wanted = outcome.ending is not Ending.ANSWERED and not isinstance(outcome.error, WithdrawnError)
            if wanted and delivery.detached and not delivery.awaited:
                self.note(Kind.DEAD, id, str(outcome.error).encode(errors="replace"))
                to, sender = delivery.envelope.to, delivery.envelope.sender
                became = "is dead" if outcome.ending is Ending.DEAD else outcome.ending
                self._warn(f"what {sender} sent to {to} {became}: {outcome.error} ({id} is a dead letter)")
        except StorageError as error:
            self._warn(f"the outcome of {id} is not recorded: {error}")
            return Outcome(Ending.FAILED, error=error)
        return outcome

    async def durable(self, position: int, envelope: Envelope) -> None:
        """Wait until something about an envelope is on disk, until a moment after its deadline at most.

        Raises:
            StorageError: it is not there by then, or never will be.
        """
        try:
            async with timeout(envelope.deadline + GRACE - self._clock.monotonic()):
                await self.journal.durable(position)
        except TimeoutError as error:
            reason = self.journal.trouble or "the disk is too slow"
            raise StorageError(f"{envelope.id} is not on disk: {reason}") from error

    async def flush(self) -> None:
        """Wait until all that was written down is on disk; raises StorageError where it never will be."""
        await self.journal.durable(self._position)

    async def story(self, id: str) -> Story:
        """Return what there is of an envelope, up to now.

        Raises:
            StorageError: the journal cannot be written or read.
        """
        await self.flush()
        return await self.journal.reader.story(id)

    async def remembered(self, envelope: Envelope) -> Delivery | None:
        """Return an envelope that has ended, by its id or its key; raises as `story` does."""
        id = envelope.id
        if envelope.key:
            await self.flush()
            id = await self.journal.reader.find(scoped(envelope)) or id
        story = await self.story(id)
        ended = [entry for entry in story if entry.kind is Kind.ENDED]
        if not ended:
            return None
        delivery = Delivery(unpack_envelope(story[0].data, self._clock), story=story)
        delivery.outcome = unpack_outcome(ended[-1].data)
        return delivery

    def _append(self, entry: Entry) -> int:
        self._position = self.journal.append(entry)
        return self._position
