"""Several journals as one."""

from __future__ import annotations

import pytest

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.errors import StorageError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.journal.union import UnionJournal
from clawmesh.testing import ManualClock

pytestmark = pytest.mark.anyio


class Two:
    """A journal of two: sessions with an even number lie in the first."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.parts = [MemoryJournal(self.clock), MemoryJournal(self.clock)]

    def open(self) -> UnionJournal:
        return UnionJournal(self.parts, lambda session: int(session[-1]) % 2)

    def entry(self, kind: Kind, number: int, key: str = "") -> Entry:
        self.clock.advance(1)
        session = f"a/s{number}" if kind is Kind.ACCEPTED else ""
        return Entry(kind, f"env_{number}", self.clock.now(), b"", session, key)


async def test_each_session_is_written_and_read_where_it_is_at_home() -> None:
    two = Two()
    union = two.open()
    for number in range(4):
        union.append(two.entry(Kind.ACCEPTED, number, key=f"key {number}"))
    position = union.append(two.entry(Kind.STEP, 1))
    union.append(Snapshot("a/s3", 0.0, b"all"))
    await union.durable(position)
    assert [story[0].envelope for story in await two.parts[0].pending()] == ["env_0", "env_2"]
    assert [story[0].envelope for story in await union.reader.pending()] == ["env_0", "env_1", "env_2", "env_3"]
    assert [entry.kind for entry in await union.reader.story("env_1")] == [Kind.ACCEPTED, Kind.STEP]
    assert await union.reader.story("env_9") == ()
    assert await union.reader.find("key 3") == "env_3"
    assert await union.reader.find("key 9") == ""
    woken = await union.reader.wake("a/s3")
    assert woken.snapshot is not None
    assert woken.snapshot.data == b"all"
    assert union.trouble == ""


async def test_what_was_pending_before_goes_on_where_it_lies() -> None:
    two = Two()
    before = two.open()
    before.append(two.entry(Kind.ACCEPTED, 1))
    union = two.open()
    await union.reader.pending()
    union.append(two.entry(Kind.ENDED, 1))
    union.append(two.entry(Kind.DEAD, 1))
    assert [entry.kind for entry in await two.parts[1].story("env_1")] == [Kind.ACCEPTED, Kind.ENDED, Kind.DEAD]


async def test_what_ended_long_ago_is_looked_up_before_more_is_written() -> None:
    two = Two()
    before = two.open()
    for kind in (Kind.ACCEPTED, Kind.ENDED, Kind.DEAD):
        before.append(two.entry(kind, 1))
    union = two.open()
    with pytest.raises(StorageError, match="nothing is known of env_1, about which DISCARDED is to be written"):
        union.append(two.entry(Kind.DISCARDED, 1))
    assert await union.reader.story("env_1")
    union.append(two.entry(Kind.DISCARDED, 1))
    assert (await two.parts[1].story("env_1"))[-1].kind is Kind.DISCARDED
