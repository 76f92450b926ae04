from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from clawmesh.abc.journal import Entry, Journal, Kind, Snapshot
from clawmesh.journal.memory import MemoryJournal
from clawmesh.testing import ManualClock
from tests.journal.samples import DAY, NOW, accepted, ended, opened, snapshot

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(5))
async def test_it_tells_what_the_one_on_disk_tells(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    clock = ManualClock(NOW)
    memory = MemoryJournal(clock)
    async with opened(tmp_path / "0.db", clock=clock) as disk:
        pending: dict[str, str] = {}
        for number in range(300):
            for item in life(random, number, pending):
                position = disk.append(item)
                assert memory.append(item) == position
        await disk.durable(position)
        assert await told(memory) == await told(disk)


def life(random: Random, number: int, pending: dict[str, str]) -> list[Entry | Snapshot]:
    """Return what happens next; a snapshot is made only of a session in which nothing is pending."""
    session = f"bot/{random.randrange(6)}"
    if random.random() < 0.4 or not pending:
        pending[str(number)] = session
        return [accepted(str(number), session, key=random.choice(("", f"k{random.randrange(100)}")))]
    if random.random() < 0.3 and session not in pending.values():
        return [snapshot(session, random.randbytes(4))]
    name = random.choice(list(pending))
    if random.random() < 0.3:
        return [Entry(Kind.STEP, f"env_{name}", NOW)]
    del pending[name]
    return [ended(name)]


async def told(journal: Journal) -> list[object]:
    reader = journal.reader
    sessions = [await reader.wake(f"bot/{number}") for number in range(7)]
    return [
        [list(story) for story in await reader.pending()],
        [(woken.snapshot, [list(story) for story in woken.tail]) for woken in sessions],
        [await reader.find(f"k{number}") for number in range(100)],
    ]


async def test_of_what_ended_it_keeps_no_more_than_its_bound() -> None:
    journal = MemoryJournal(ManualClock(NOW), bound=3)
    for number in range(10):
        journal.append(accepted(str(number), f"bot/{number}", key=f"k{number}"))
        journal.append(ended(str(number)))
        journal.append(snapshot(f"bot/{number}"))
    journal.append(accepted("open"))
    known = [number for number in range(10) if await journal.story(f"env_{number}")]
    assert known == [7, 8, 9]
    assert [number for number in range(10) if (await journal.wake(f"bot/{number}")).snapshot] == [7, 8, 9]
    assert [number for number in range(10) if await journal.find(f"k{number}")] == [7, 8, 9]
    assert len(await journal.pending()) == 1


async def test_a_key_is_known_for_seven_days() -> None:
    clock = ManualClock(NOW)
    journal = MemoryJournal(clock)
    journal.append(accepted("a", key="k"))
    clock.advance(7 * DAY)
    assert await journal.find("k") == "env_a"
    clock.advance(1)
    assert await journal.find("k") == ""
