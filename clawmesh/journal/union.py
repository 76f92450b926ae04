"""Several journals as one: for a process that is alone with what was divided among workers."""

from __future__ import annotations

from asyncio import gather
from collections import OrderedDict
from collections.abc import Callable, Sequence

from clawmesh.abc.journal import Entry, Journal, Kind, Reader, Snapshot, Story, Woken
from clawmesh.errors import StorageError

# Envelopes that have ended, or were looked up, about which more may be written.
RECENT = 10_000


class UnionJournal:
    """Writes about each session to the journal that has it, by the number that `home` gives."""

    def __init__(self, parts: Sequence[Journal], home: Callable[[str], int]) -> None:
        self._parts = parts
        self._home = home
        self._places = Places()
        self._reader = UnionReader([part.reader for part in parts], home, self._places)
        self._newest = [0] * len(parts)
        self._position = 0

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def trouble(self) -> str:
        return next((part.trouble for part in self._parts if part.trouble), "")

    def append(self, item: Entry | Snapshot) -> int:
        number = self._place(item)
        self._newest[number] = self._parts[number].append(item)
        self._position += 1
        return self._position

    async def durable(self, position: int) -> None:
        # All that was taken up to now, which is no less than what is asked for.
        await gather(*(part.durable(newest) for part, newest in zip(self._parts, self._newest, strict=True) if newest))

    def _place(self, item: Entry | Snapshot) -> int:
        if isinstance(item, Snapshot):
            return self._home(item.session)
        if item.kind is Kind.ACCEPTED:
            number = self._home(item.session)
            self._places.pending(item.envelope, number)
            return number
        found = self._places.of(item.envelope)
        if found is None:
            raise StorageError(f"nothing is known of {item.envelope}, about which {item.kind.name} is to be written")
        if item.kind is Kind.ENDED:
            self._places.recent(item.envelope, found)
        return found


class Places:
    """Which journal has an envelope: of all that are pending, and of some that were of late."""

    def __init__(self) -> None:
        self._pending: dict[str, int] = {}
        self._recent: OrderedDict[str, int] = OrderedDict()

    def of(self, envelope: str) -> int | None:
        number = self._pending.get(envelope)
        return self._recent.get(envelope) if number is None else number

    def pending(self, envelope: str, number: int) -> None:
        self._pending[envelope] = number

    def recent(self, envelope: str, number: int) -> None:
        self._pending.pop(envelope, None)
        self._recent[envelope] = number
        self._recent.move_to_end(envelope)
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)


class UnionReader:
    """Reads several journals as one."""

    def __init__(self, parts: Sequence[Reader], home: Callable[[str], int], places: Places) -> None:
        self._parts = parts
        self._home = home
        self._places = places

    async def pending(self) -> Sequence[Story]:
        found = await gather(*(part.pending() for part in self._parts))
        for number, stories in enumerate(found):
            for story in stories:
                self._places.pending(story[0].envelope, number)
        return sorted((story for stories in found for story in stories), key=lambda story: story[0].at)

    async def story(self, envelope: str) -> Story:
        for number, part in enumerate(self._parts):
            if story := await part.story(envelope):
                if self._places.of(envelope) is None:
                    self._places.recent(envelope, number)
                return story
        return ()

    async def find(self, key: str) -> str:
        found = await gather(*(part.find(key) for part in self._parts))
        return next(filter(None, found), "")

    async def wake(self, session: str) -> Woken:
        return await self._parts[self._home(session)].wake(session)
