"""A journal without a disk: for engines whose work nobody has to find again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from clawmesh.abc.journal import Entry, Kind, Snapshot, Story, Woken

STORIES = 100_000


class MemoryJournal:
    """Keeps the pending stories, and of those that ended the newest ones; its own reader."""

    trouble = ""

    def __init__(self, stories: int = STORIES) -> None:
        self._bound = stories
        self._pending: dict[str, list[Entry]] = {}
        self._ended: OrderedDict[str, list[Entry]] = OrderedDict()
        self._ends: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self._snapshots: OrderedDict[str, tuple[int, Snapshot]] = OrderedDict()
        self._position = 0

    @property
    def reader(self) -> MemoryJournal:
        return self

    def append(self, item: Entry | Snapshot) -> int:
        self._position += 1
        if isinstance(item, Snapshot):
            self._snapshots[item.session] = (self._position, item)
            self._snapshots.move_to_end(item.session)
            if len(self._snapshots) > self._bound:
                self._snapshots.popitem(last=False)
        else:
            self._add(item)
        return self._position

    async def durable(self, position: int) -> None:
        """Return at once: what is here is as safe as it will ever be."""

    async def pending(self) -> Sequence[Story]:
        return [tuple(story) for story in self._pending.values()]

    async def story(self, envelope: str) -> Story:
        return tuple(self._pending.get(envelope) or self._ended.get(envelope) or ())

    async def find(self, key: str) -> str:
        return self._keys.get(key, "")

    async def wake(self, session: str) -> Woken:
        since, snapshot = self._snapshots.get(session, (0, None))
        stories = [story for id, story in self._ended.items() if self._ends[id] > since]
        return Woken(snapshot, [tuple(story) for story in stories if story[0].session == session])

    def _add(self, entry: Entry) -> None:
        if entry.kind is Kind.ACCEPTED:
            self._pending[entry.envelope] = [entry]
            if entry.key:
                self._keys[entry.key] = entry.envelope
        elif entry.envelope in self._ended:
            self._ended[entry.envelope].append(entry)
        elif story := self._pending.get(entry.envelope):
            story.append(entry)
            if entry.kind is Kind.ENDED:
                self._ended[entry.envelope] = self._pending.pop(entry.envelope)
                self._ends[entry.envelope] = self._position
                self._forget()

    def _forget(self) -> None:
        if len(self._ended) > self._bound:
            id, story = self._ended.popitem(last=False)
            del self._ends[id]
            self._keys.pop(story[0].key, None)
