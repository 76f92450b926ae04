"""The writer on a simulated disk, in virtual time."""

from __future__ import annotations

from random import Random

import anyio
import apsw
import pytest

from clawmesh.abc.journal import Snapshot
from clawmesh.clock import SystemClock
from clawmesh.errors import StorageError
from clawmesh.failpoint import Failpoints
from clawmesh.journal import writer
from clawmesh.journal.journal import SqliteJournal
from clawmesh.testing.disk import Disk
from clawmesh.testing.journal import open_simulated_journal
from tests.journal.samples import NOW, accepted, ended, lived
from tests.journal.test_power import contents
from tests.simulation.loop import LoopClock


def test_what_comes_together_is_one_commit() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            await journal.durable(journal.append(accepted("first")))
            before = disk.syncs
            for number in range(1000):
                position = journal.append(accepted(str(number)))
            await journal.durable(position)
            assert disk.syncs - before == 1

    lived(main)


@pytest.mark.anyio
async def test_waiters_wake_in_the_order_of_their_positions() -> None:
    woken: list[int] = []
    async with open_simulated_journal(Disk(Random(0)), clock=SystemClock()) as journal:

        async def wait(position: int) -> None:
            await journal.durable(position)
            woken.append(position)

        positions = [journal.append(accepted(str(number))) for number in range(5)]
        async with anyio.create_task_group() as tasks:
            for position in (positions[3], positions[0], positions[4], positions[2]):
                tasks.start_soon(wait, position)
    assert woken == [1, 3, 4, 5]


def test_one_who_stops_waiting_holds_up_nobody() -> None:
    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(Disk(Random(0)), clock=clock, pause=lambda: 1.0) as journal:
            position = journal.append(accepted("a"))
            with anyio.move_on_after(0.1) as scope:
                await journal.durable(position)
            assert scope.cancelled_caught
            await journal.durable(position)
            assert await journal.reader.pending() == [[accepted("a")]]

    lived(main)


def test_on_a_full_disk_nothing_is_acknowledged_until_there_is_room() -> None:
    disk = Disk(Random(0))
    heard: list[str] = []

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, warn=heard.append) as journal:
            await journal.durable(journal.append(accepted("a")))
            disk.full = True
            position = journal.append(accepted("b"))
            with anyio.move_on_after(60) as scope:
                await journal.durable(position)
            assert scope.cancelled_caught
            assert journal.trouble == "the disk is full: the journal /journal.db cannot be written"
            assert await journal.reader.pending() == [[accepted("a")]]
            disk.full = False
            with anyio.fail_after(writer.LONGEST_PAUSE + 1):
                await journal.durable(position)
            assert journal.trouble == ""
            assert await journal.reader.pending() == [[accepted("a")], [accepted("b")]]

    lived(main)
    assert heard == [
        "the disk is full: the journal /journal.db cannot be written; nothing is acknowledged until it can be written",
        "the journal /journal.db is written again",
    ]


def test_a_sync_that_fails_is_said_and_made_good() -> None:
    disk = Disk(Random(0))
    heard: list[str] = []

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, warn=heard.append) as journal:
            await journal.durable(journal.append(accepted("a")))
            disk.failing = 3
            await journal.durable(journal.append(accepted("b")))
            assert len(contents(disk.after_power_loss())) == 2

    lived(main)
    assert heard[0].startswith("the disk failed under the journal /journal.db (SQLITE_IOERR_FSYNC)")


def test_what_waits_is_bounded() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            disk.full = True
            big = Snapshot("bot/main", NOW, bytes(16 << 20))
            for _ in range(writer.WAITING_BYTES // len(big.data)):
                position = journal.append(big)
            with pytest.raises(StorageError, match=r"too much waits to be written \(entries: 16\)"):
                journal.append(big)
            disk.full = False
            await journal.durable(position)
            small = accepted("small")
            disk.full = True
            for _ in range(writer.WAITING_ITEMS):
                position = journal.append(small)
            with pytest.raises(StorageError, match=r"too much waits to be written \(entries: 200000\)"):
                journal.append(small)
            disk.full = False
            await journal.durable(position)

    lived(main)


def test_closing_on_a_disk_that_takes_nothing_says_what_is_lost() -> None:
    disk = Disk(Random(0))
    refused: list[str] = []

    async def wait(journal: SqliteJournal, position: int) -> None:
        try:
            await journal.durable(position)
        except StorageError as error:
            refused.append(str(error))

    async def main(clock: LoopClock) -> None:
        async with anyio.create_task_group() as tasks, open_simulated_journal(disk, clock=clock) as journal:
            disk.full = True
            journal.append(accepted("a"))
            tasks.start_soon(wait, journal, journal.append(accepted("b")))
            await anyio.sleep(1)

    with pytest.raises(BaseExceptionGroup) as caught:
        lived(main)
    assert caught.group_contains(StorageError, match="could not be written: the disk is full")
    assert len(refused) == 1
    assert refused[0].startswith("what was taken last (entries: 2) could not be written: the disk is full")


def test_text_that_is_none_is_refused_at_once() -> None:
    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(Disk(Random(0)), clock=clock) as journal:
            for item in (accepted("a", "bot/\ud800"), accepted("a", key="\ud800"), Snapshot("\ud800", NOW, b"")):
                with pytest.raises(StorageError, match="cannot be written: it is no text"):
                    journal.append(item)
            await journal.durable(journal.append(accepted("ä", "bot/😀", key="ß")))

    lived(main)


def test_damage_found_while_writing_ends_it_for_everybody() -> None:
    disk = Disk(Random(0))

    def damage(_name: str) -> None:
        raise apsw.CorruptError("malformed")

    async def main(clock: LoopClock) -> None:
        failpoints = Failpoints({"journal.commit": 2}, damage)
        async with open_simulated_journal(disk, clock=clock, failpoints=failpoints) as journal:
            await journal.durable(journal.append(accepted("a")))
            with pytest.raises(StorageError, match=r"journal.db is damaged \(malformed\)"):
                await journal.durable(journal.append(ended("a")))
            assert "journal.db is damaged" in journal.trouble
            with pytest.raises(StorageError, match="is damaged"):
                journal.append(accepted("b"))

    with pytest.raises(StorageError, match=r"\(entries: 1\) could not be written: the journal /journal.db is damaged"):
        lived(main)
