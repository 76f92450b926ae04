"""What is forgotten and what is not, on the real store, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import anyio
import apsw
import pytest

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.journal import retention
from clawmesh.testing.disk import Disk
from clawmesh.testing.journal import PATH, open_simulated_journal
from tests.journal.samples import DAY, accepted, ended, lived, snapshot, told
from tests.simulation.loop import LoopClock

START = 1_700_000_000.0
OLD = START - 100 * DAY


def kept(items: Sequence[Entry | Snapshot], *, keep: float | None = 90 * DAY) -> tuple[list[str], list[str]]:
    """Write items and let the journal forget; return the stories and the sessions' snapshots that are left."""
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, keep=keep) as journal:
            for item in items:
                position = journal.append(item)
            await journal.durable(position)
            await anyio.sleep(2 * retention.PASS_SECONDS)

    lived(main)
    assert rows(disk, "SELECT session FROM head WHERE session NOT IN (SELECT session FROM entry)") == []
    stories = rows(disk, "SELECT DISTINCT envelope FROM entry ORDER BY 1")
    return [name.removeprefix("env_") for name in stories], rows(disk, "SELECT session FROM snapshot ORDER BY 1")


def rows(disk: Disk, query: str) -> list[str]:
    with disk.mounted() as vfs:
        connection = apsw.Connection(PATH, vfs=vfs)
        connection.pragma("locking_mode", "EXCLUSIVE")
        found = [str(value) for (value,) in connection.execute(query)]
        connection.close()
    return found


def story(name: str, session: str = "bot/main", *, at: float = OLD, key: str = "") -> list[Entry]:
    return [accepted(name, session, at=at, key=key), told(Kind.STEP, name, at=at), ended(name, at=at)]


def test_a_session_that_nobody_used_goes_whole() -> None:
    used = story("used", "bot/used", at=START)
    items: list[Entry | Snapshot] = [*story("a"), snapshot(at=OLD), *story("b"), *used]
    assert kept(items) == (["used"], [])


def test_what_a_snapshot_holds_goes_and_the_tail_stays() -> None:
    items: list[Entry | Snapshot] = [*story("a"), snapshot(at=OLD), *story("tail"), *story("new", at=START)]
    assert kept(items) == (["new", "tail"], ["bot/main"])


def test_without_a_snapshot_a_session_in_use_keeps_everything() -> None:
    assert kept([*story("a"), *story("b", at=START)]) == (["a", "b"], [])


def test_what_has_no_outcome_and_its_session_stay() -> None:
    items: list[Entry | Snapshot] = [*story("a"), snapshot(at=OLD), accepted("open", at=OLD)]
    assert kept(items) == (["open"], ["bot/main"])


def test_a_session_whose_long_turn_has_just_ended_stays() -> None:
    items: list[Entry | Snapshot] = [*story("a"), snapshot(at=OLD), accepted("long", at=OLD), ended("long", at=START)]
    assert kept(items) == (["long"], ["bot/main"])


def test_a_dead_letter_stays_until_it_leaves() -> None:
    dead = [*story("a"), told(Kind.DEAD, "a", at=OLD)]
    assert kept(dead) == (["a"], [])
    assert kept([*dead, told(Kind.DISCARDED, "a", at=OLD)]) == ([], [])


def test_what_was_told_of_late_counts_as_late() -> None:
    items: list[Entry | Snapshot] = [
        *story("a"),
        snapshot(at=OLD),
        told(Kind.REVIVED, "a", at=START),
        *story("new", at=START),
    ]
    assert kept(items) == (["a", "new"], ["bot/main"])


def test_a_story_is_known_as_long_as_its_key() -> None:
    items: list[Entry | Snapshot] = [*story("keyed", at=START - 6 * DAY, key="k"), *story("plain", at=START - 6 * DAY)]
    assert kept(items, keep=DAY)[0] == ["keyed"]
    assert kept(story("keyed", at=START - 8 * DAY, key="k"), keep=DAY)[0] == []


def test_who_keeps_everything_forgets_keys_alone() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            for item in (*story("a", at=START - 8 * DAY, key="old"), *story("b", at=START, key="new")):
                position = journal.append(item)
            await journal.durable(position)
            await anyio.sleep(2 * retention.PASS_SECONDS)

    lived(main)
    assert rows(disk, "SELECT DISTINCT envelope FROM entry ORDER BY 1") == ["env_a", "env_b"]
    assert rows(disk, "SELECT key FROM intake") == ["new"]


@pytest.mark.parametrize("jump", [-3000 * DAY, 3000 * DAY])
def test_a_clock_that_jumps_makes_nothing_old(jump: float) -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, keep=90 * DAY) as journal:
            for item in story("a", at=START):
                position = journal.append(item)
            await journal.durable(position)
            clock.jump(jump)
            await anyio.sleep(2 * retention.PASS_SECONDS)

    lived(main)
    assert rows(disk, "SELECT DISTINCT envelope FROM entry") == ["env_a"]


def test_the_file_does_not_grow_for_ever() -> None:
    disk = Disk(Random(0))
    sizes: list[int] = []

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, keep=DAY) as journal:
            for day in range(12):
                for number in range(1500):
                    name = f"{day}-{number}"
                    journal.append(accepted(name, f"bot/{name}", at=clock.now()))
                    position = journal.append(Entry(Kind.ENDED, f"env_{name}", clock.now(), bytes(4000)))
                await journal.durable(position)
                await anyio.sleep(DAY)
                sizes.append(len(disk.open(PATH, create=False).seen))

    lived(main)
    assert max(sizes[3:]) < 1.5 * sizes[2]


def test_forgetting_stops_for_a_while_where_the_disk_does() -> None:
    disk = Disk(Random(0))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, keep=DAY) as journal:
            for item in story("a"):
                position = journal.append(item)
            await journal.durable(position)
            disk.full = True
            await anyio.sleep(1.5 * retention.PASS_SECONDS)
            assert journal.trouble == ""
            assert len(await journal.reader.story("env_a")) == 3
            disk.full = False
            await anyio.sleep(2 * retention.PASS_SECONDS)
            assert await journal.reader.story("env_a") == []

    lived(main)
