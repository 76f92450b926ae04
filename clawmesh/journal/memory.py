"""A journal without a disk: for engines whose work need not outlive their process."""

from __future__ import annotations

from collections.abc import Sequence

from clawmesh.abc.journal import Entry, Kind, Reader, Snapshot, Story, Woken
from clawmesh.clock import Clock
from clawmesh.journal.retention import INTAKE_SECONDS

BOUND = 100_000


class MemoryJournal:
    """Durable at once, until the process ends. It is its own reader.

    Of what has ended it keeps `bound` stories, and as many snapshots and keys; the oldest go first.
    """

    def __init__(self, clock: Clock, bound: int = BOUND) -> None:
        self._clock = clock
        self._bound = bound
        self._position = 0
        self._stories: dict[str, list[Entry]] = {}
        self._pending: dict[str, None] = {}
        self._ended: dict[str, None] = {}
        self._tails: dict[str, dict[str, None]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._keys: dict[str, Entry] = {}

    @property
    def reader(self) -> Reader:
        return self

    @property
    def trouble(self) -> str:
        return ""

    def append(self, item: Entry | Snapshot) -> int:
        self._position += 1
        if isinstance(item, Entry):
            self._tell(item)
        else:
            self._keep(item)
        return self._position

    async def durable(self, position: int) -> None:
        return

    async def pending(self) -> Sequence[Story]:
        return [list(self._stories[envelope]) for envelope in self._pending]

    async def story(self, envelope: str) -> Story:
        return list(self._stories.get(envelope, ()))

    async def find(self, key: str) -> str:
        entry = self._keys.get(key)
        return entry.envelope if entry and entry.at >= self._clock.now() - INTAKE_SECONDS else ""

    async def wake(self, session: str) -> Woken:
        tail = (envelope for envelope in self._tails.get(session, ()) if envelope not in self._pending)
        return Woken(self._snapshots.get(session), [list(self._stories[envelope]) for envelope in tail])

    def _tell(self, entry: Entry) -> None:
        self._stories.setdefault(entry.envelope, []).append(entry)
        if entry.kind is Kind.ACCEPTED:
            self._pending[entry.envelope] = None
            self._tails.setdefault(entry.session, {})[entry.envelope] = None
            if entry.key:
                self._note(entry)
        elif entry.kind is Kind.ENDED:
            self._pending.pop(entry.envelope, None)
            self._ended[entry.envelope] = None
            if len(self._ended) > self._bound:
                self._forget(next(iter(self._ended)))

    def _note(self, entry: Entry) -> None:
        first = self._keys.get(entry.key)
        if first is None or first.at < entry.at - INTAKE_SECONDS:
            self._keys[entry.key] = entry
            _bound(self._keys, self._bound)

    def _keep(self, snapshot: Snapshot) -> None:
        """Take the snapshot in the place of the stories that it holds."""
        self._snapshots.pop(snapshot.session, None)
        self._snapshots[snapshot.session] = snapshot
        _bound(self._snapshots, self._bound)
        for envelope in list(self._tails.get(snapshot.session, ())):
            if envelope in self._ended:
                del self._tails[snapshot.session][envelope]
        if not self._tails.get(snapshot.session, True):
            del self._tails[snapshot.session]

    def _forget(self, envelope: str) -> None:
        del self._ended[envelope]
        session = self._stories.pop(envelope)[0].session
        tail = self._tails.get(session, {})
        tail.pop(envelope, None)
        if not tail:
            self._tails.pop(session, None)


def _bound(kept: dict[str, Entry] | dict[str, Snapshot], bound: int) -> None:
    if len(kept) > bound:
        kept.pop(next(iter(kept)))
