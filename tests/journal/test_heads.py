"""The links between a session's entries, while they are brought to the table and when that is interrupted."""

from __future__ import annotations

from random import Random

import anyio
import apsw
import pytest

from clawmesh.abc.journal import Entry, Kind
from clawmesh.errors import StorageError
from clawmesh.failpoint import Failpoints
from clawmesh.journal import heads
from clawmesh.journal.journal import SqliteJournal
from clawmesh.testing.disk import Disk
from clawmesh.testing.journal import PATH, open_simulated_journal
from tests.journal.samples import DAY, NOW, accepted, ended, lived, told
from tests.simulation.loop import LoopClock

SESSIONS = heads.SESSIONS + 200


async def write(journal: SqliteJournal, numbers: range) -> None:
    """Write a story about each number, to one session after the other."""
    for number in numbers:
        journal.append(accepted(str(number), f"bot/{number % SESSIONS}"))
        position = journal.append(ended(str(number)))
        if number % 100 == 0:
            await journal.durable(position)
    await journal.durable(position)


async def tail(journal: SqliteJournal, session: int) -> list[int]:
    woken = await journal.reader.wake(f"bot/{session}")
    return [int(story[0].envelope.removeprefix("env_")) for story in woken.tail]


def settled(disk: Disk) -> tuple[int, int]:
    with disk.mounted() as vfs:
        connection = apsw.Connection(PATH, vfs=vfs)
        connection.pragma("locking_mode", "EXCLUSIVE")
        found = connection.execute("SELECT (SELECT count(*) FROM head), (SELECT seq FROM settled)").fetchone()
        connection.close()
    assert found is not None
    return int(found[0]), int(found[1])


def test_every_session_finds_its_entries_while_they_are_brought_to_the_table() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            for start in range(0, 2 * SESSIONS, 2000):
                await write(journal, range(start, start + 2000))
                for session in (0, 7, start % SESSIONS, 1999, SESSIONS - 1):
                    assert await tail(journal, session) == list(range(session, start + 2000, SESSIONS))

    lived(main)
    assert settled(disk) == (SESSIONS, 2 * len(range(0, 2 * SESSIONS, 2000)) * 2000)


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_of_power_while_they_are_brought_there_breaks_no_link(seed: int) -> None:
    random = Random(seed)
    disk = Disk(random)
    pictures: list[Disk] = []

    def look() -> None:
        if random.random() < 0.004 and len(pictures) < 4:
            pictures.append(disk.after_power_loss())

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            await write(journal, range(heads.SESSIONS))
            disk.touched = look
            await write(journal, range(heads.SESSIONS, heads.SESSIONS + 6000))
        for picture in pictures:
            async with open_simulated_journal(picture, clock=clock) as journal:
                for session in random.sample(range(SESSIONS), 200):
                    found = await tail(journal, session)
                    assert found == list(range(session, heads.SESSIONS + 6000, SESSIONS))[: len(found)]
                    assert found or session >= heads.SESSIONS

    lived(main)
    assert len(pictures) == 4
    assert any(settled(picture)[0] for picture in pictures)


def test_few_sessions_with_many_entries_are_brought_there_too() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            await journal.durable(journal.append(accepted("a", "bot/one")))
            for _ in range(heads.ENTRIES + 10_000):
                position = journal.append(Entry(Kind.STEP, "env_a", NOW))
            await journal.durable(position)
            await journal.durable(journal.append(ended("a")))
            left = disk.after_kill()
        assert settled(left)[0] == 1
        assert settled(left)[1] > heads.ENTRIES

    lived(main)


def test_what_was_not_committed_is_no_link() -> None:
    disk = Disk(Random(0))

    def fail(_name: str) -> None:
        raise apsw.IOError

    async def main(clock: LoopClock) -> None:
        failpoints = Failpoints({"journal.commit": 2}, fail)
        async with open_simulated_journal(disk, clock=clock, failpoints=failpoints, pause=lambda: 0.01) as journal:
            await journal.durable(journal.append(accepted("0", "bot/0")))
            journal.append(ended("0"))
            journal.append(accepted(str(SESSIONS), "bot/0"))
            position = journal.append(ended(str(SESSIONS)))
            with anyio.move_on_after(0.02):
                await journal.durable(position)
            assert await tail(journal, 0) == []
            await journal.durable(position)
            assert await tail(journal, 0) == [0, SESSIONS]
            with pytest.raises(StorageError):
                await journal.durable(position + 1)

    lived(main)


def test_positions_that_were_forgotten_are_not_given_again() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, keep=DAY) as journal:
            for item in (accepted("old"), told(Kind.STEP, "old"), ended("old")):
                position = journal.append(item)
            await journal.durable(position)
            await anyio.sleep(2 * DAY)
            assert await journal.reader.story("env_old") == []
        async with open_simulated_journal(disk, clock=clock) as journal:
            assert journal.append(accepted("new")) > position
            await journal.durable(journal.append(ended("new")))
            left = disk.after_kill()
        async with open_simulated_journal(left, clock=clock) as journal:
            woken = await journal.reader.wake("bot/main")
            assert [story[0].envelope for story in woken.tail] == ["env_new"]

    lived(main)
