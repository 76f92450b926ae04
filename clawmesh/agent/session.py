"""Sessions in memory: woken from the journal when they are needed, hibernated when they rest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

import anyio

from clawmesh.abc.journal import Journal, Snapshot
from clawmesh.agent.exchange import exchange, remembered
from clawmesh.agent.transcript import Transcript
from clawmesh.clock import Clock
from clawmesh.config.model import MeshSettings
from clawmesh.errors import StorageError
from clawmesh.mesh.address import Address
from clawmesh.mesh.engine import Engine
from clawmesh.messages import Message
from clawmesh.runtime import collect, resident, trim

TICK = 1.0
# After a failure.
PAUSE = 10.0
# How long a mesh that is never idle may go without a look at all its garbage.
COLLECT_SECONDS = 600.0
# Sessions, and bytes of theirs to be written, that leave at once; more would hold up what turns have to write.
BATCH = 2000
BATCH_BYTES = 16 * 1024**2
WARM = 100_000
# What a warm session takes besides its transcript: its address, and its place among the others.
SESSION_BYTES = 380
# Exchanges after which a session that never rests is written down, so that waking it never means reading more.
UNSAVED = 32
# The shares of `max_rss` at which sessions begin to leave, and down to which they do.
HIGH, LOW = 0.9, 0.8


class Session:
    """One warm session.

    `unsaved` counts the exchanges that no snapshot holds, `saved` is the journal's position of the newest snapshot.
    """

    __slots__ = ("saved", "transcript", "unsaved", "used")

    def __init__(self, transcript: Transcript, used: float, unsaved: int) -> None:
        self.transcript = transcript
        self.used = used
        self.unsaved = unsaved
        self.saved = 0


class Sessions:
    """Holds the transcripts of the sessions that are warm, least recently used first.

    `history` says how many messages an agent keeps, `memory` how many bytes the process may hold where the settings,
    which may be replaced, do not say.
    """

    def __init__(
        self, journal: Journal, clock: Clock, settings: MeshSettings, history: Callable[[str], int], memory: int
    ) -> None:
        self._journal = journal
        self._clock = clock
        self.settings = settings
        self._history = history
        self._memory = memory
        self._warm: OrderedDict[Address, Session] = OrderedDict()
        self._long: set[Address] = set()
        self._collected = clock.monotonic()

    def __len__(self) -> int:
        return len(self._warm)

    def sizes(self) -> Iterator[tuple[Address, int]]:
        """Yield every warm session with the bytes of memory that it takes."""
        return ((address, session.transcript.size + SESSION_BYTES) for address, session in self._warm.items())

    async def wake(self, address: Address) -> Transcript:
        """Return a session's transcript, from the journal where it is not warm.

        Raises:
            StorageError: the journal cannot be read.
        """
        session = self._warm.get(address)
        if session is None:
            # Who reads may not be alone: the first that comes back is the one that is written to.
            session = self._warm.setdefault(address, await self._read(address))
        session.used = self._clock.monotonic()
        self._warm.move_to_end(address)
        return session.transcript

    def add(self, address: Address, messages: Sequence[Message]) -> None:
        """Append an exchange to a session that is warm."""
        session = self._warm[address]
        session.transcript.extend(messages)
        session.unsaved += 1
        if session.unsaved >= UNSAVED:
            self._long.add(address)
        session.used = self._clock.monotonic()
        self._warm.move_to_end(address)

    async def tend(self, engine: Engine, warn: Callable[[str], None]) -> None:
        """Tidy up every second until cancelled; while the journal cannot be written, sessions stay."""
        while True:
            await anyio.sleep(TICK)
            try:
                await self.tidy(engine)
            except StorageError as error:
                warn(f"sessions stay in memory: {error}")
                await anyio.sleep(PAUSE)

    async def tidy(self, engine: Engine) -> None:
        """Hibernate what rests, and what there is no room for.

        While even that does not bring memory down, the engine lets nothing in from outside.

        Raises:
            StorageError: the journal cannot be written.
        """
        self._save_long(engine)
        left = await self._hibernate(self._batch(self._resting(engine)))
        limit = self.settings.max_rss * 1024**2 if self.settings.max_rss else self._memory
        left += await self._shrink(engine, limit)
        if not engine.under_way or self._clock.monotonic() - self._collected >= COLLECT_SECONDS:
            self._collected = self._clock.monotonic()
            collect()
        if left:
            trim()

    async def _read(self, address: Address) -> Session:
        woken = await self._journal.reader.wake(str(address))
        transcript = Transcript(self._history(address.agent))
        if woken.snapshot is not None:
            transcript.restore(woken.snapshot.data)
        unsaved = 0
        for story in woken.tail:
            if remembered(story) and (messages := exchange(story)):
                transcript.extend(messages)
                unsaved += 1
        return Session(transcript, 0.0, unsaved)

    def _resting(self, engine: Engine) -> Iterator[Address]:
        before = self._clock.monotonic() - self.settings.hibernate
        over = len(self._warm) - WARM
        for address, session in self._warm.items():
            if session.used > before and over <= 0:
                break
            if not engine.busy(address):
                over -= 1
                yield address

    def _batch(self, addresses: Iterable[Address]) -> list[Address]:
        """Return the first of them, as many as may leave at once."""
        batch: list[Address] = []
        left = BATCH_BYTES
        for address in addresses:
            session = self._warm[address]
            left -= session.transcript.size if session.unsaved else 0
            batch.append(address)
            if left <= 0 or len(batch) == BATCH:
                break
        return batch

    async def _shrink(self, engine: Engine, limit: int) -> int:
        gone = 0
        if resident() > HIGH * limit:
            while resident() > LOW * limit:
                idle = (address for address in self._warm if not engine.busy(address))
                left = await self._hibernate(self._batch(idle))
                trim()
                gone += left
                if not left:
                    break
        full = resident() > limit
        engine.gate.hold("memory", f"the process holds more than {limit // 1024**2} MB, its [mesh] max_rss" * full)
        return gone

    async def _hibernate(self, addresses: Sequence[Address]) -> int:
        """Let sessions go that nobody needs; those that are used meanwhile stay. Returns how many went."""
        position = 0
        used = {}
        for address in addresses:
            session = self._warm[address]
            used[address] = session.used
            if session.unsaved:
                self._save(address, session)
            position = max(position, session.saved)
        if position:
            await self._journal.durable(position)
        gone = [address for address, at in used.items() if address in self._warm and self._warm[address].used == at]
        for address in gone:
            del self._warm[address]
        return len(gone)

    def _save_long(self, engine: Engine) -> None:
        for address in self._batch(address for address in self._long if not engine.busy(address)):
            self._save(address, self._warm[address])

    def _save(self, address: Address, session: Session) -> None:
        snapshot = Snapshot(str(address), self._clock.now(), session.transcript.pack())
        session.saved = self._journal.append(snapshot)
        session.unsaved = 0
        self._long.discard(address)
