"""What is on the disk after a loss of power, at hundreds of moments in the middle of writing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

import anyio
import apsw
import pytest

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.journal.journal import SqliteJournal
from clawmesh.testing.disk import Disk
from clawmesh.testing.journal import PATH, open_simulated_journal
from tests.journal.samples import NOW, lived
from tests.simulation.loop import LoopClock

LATER = [Kind.STEP, Kind.INTENT, Kind.RESULT, Kind.ENDED, Kind.DEAD, Kind.REVIVED]


class Load:
    """Writes what comes to mind, and knows what it was told to be safe."""

    def __init__(self, random: Random) -> None:
        self.items: list[Entry | Snapshot] = []
        self.safe = 0
        self._random = random

    async def write(self, journal: SqliteJournal, bursts: int) -> None:
        for _ in range(bursts):
            for _ in range(self._random.randrange(1, 40)):
                item = self._item()
                assert journal.append(item) == len(self.items) + 1
                self.items.append(item)
            position = self._random.randrange(len(self.items)) + 1
            await journal.durable(position)
            self.safe = max(self.safe, position)

    def _item(self) -> Entry | Snapshot:
        random = self._random
        data = random.randbytes(random.choice((0, 20, 300, 6000)))
        session = f"bot/{random.randrange(5)}"
        if random.random() < 0.1:
            return Snapshot(session, NOW, data)
        number = len(self.items)
        if random.random() < 0.4:
            return Entry(Kind.ACCEPTED, f"env_{number}", NOW, data, session, random.choice(("", f"key {number}")))
        return Entry(random.choice(LATER), f"env_{random.randrange(number + 1)}", NOW, data)


class Witness:
    """Takes a picture of the disk, as a loss of power would leave it, at random moments."""

    def __init__(self, disk: Disk, load: Load, random: Random, share: float) -> None:
        self.pictures: list[tuple[Disk, int, int]] = []
        self._disk = disk
        self._load = load
        self._random = random
        self._share = share

    def look(self) -> None:
        if self._random.random() < self._share:
            self.pictures.append((self._disk.after_power_loss(), self._load.safe, len(self._load.items)))


def contents(disk: Disk) -> list[tuple[object, ...]]:
    """Read the log as it is on the disk, after a look for damage."""
    with disk.mounted() as vfs:
        connection = apsw.Connection(PATH, vfs=vfs)
        connection.pragma("locking_mode", "EXCLUSIVE")
        assert connection.pragma("integrity_check") == "ok"
        log = list(connection.execute("SELECT seq, envelope, kind, session, key, data FROM entry ORDER BY seq"))
        derived = [
            list(connection.execute(f"SELECT envelope FROM {table} ORDER BY 1")) for table in ("pending", "dead")
        ]
        assert derived == [sorted(table) for table in rebuilt(log)]
        connection.close()
    return log


def rebuilt(log: Sequence[tuple[object, ...]]) -> tuple[list[tuple[object]], list[tuple[object]]]:
    """Say from the log alone what is pending and what is dead."""
    pending: dict[object, None] = {}
    dead: dict[object, None] = {}
    for _, envelope, kind, *_ in log:
        if kind == Kind.ACCEPTED:
            pending[envelope] = None
        elif kind == Kind.ENDED:
            pending.pop(envelope, None)
        elif kind == Kind.DEAD:
            dead[envelope] = None
        elif kind == Kind.REVIVED:
            dead.pop(envelope, None)
    return [(envelope,) for envelope in pending], [(envelope,) for envelope in dead]


def expected(items: Sequence[Entry | Snapshot]) -> list[tuple[object, ...]]:
    return [
        (position, item.envelope, int(item.kind), item.session, item.key, item.data)
        for position, item in enumerate(items, 1)
        if isinstance(item, Entry)
    ]


def judge(witness: Witness, load: Load) -> None:
    whole = expected(load.items)
    for picture, safe, taken in witness.pictures:
        log = contents(picture)
        assert log == whole[: len(log)]
        assert len(expected(load.items[:safe])) <= len(log) <= len(expected(load.items[:taken]))


@pytest.mark.parametrize("seed", range(8))
def test_a_loss_of_power_leaves_all_that_was_durable_and_a_beginning_of_the_rest(seed: int) -> None:
    random = Random(seed)
    disk = Disk(random)
    load = Load(random)
    witness = Witness(disk, load, random, 0.03)

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock, pause=partial(random.expovariate, 500)) as journal:
            disk.touched = witness.look
            await load.write(journal, 60)

    lived(main)
    assert len(witness.pictures) > 20
    judge(witness, load)


@pytest.mark.parametrize("seed", range(8))
def test_syncs_that_fail_and_a_disk_that_is_full_lose_nothing(seed: int) -> None:
    random = Random(seed)
    disk = Disk(random)
    load = Load(random)
    witness = Witness(disk, load, random, 0.02)
    heard: list[str] = []

    async def disturb() -> None:
        while True:
            disk.failing = random.randrange(3)
            disk.full = not disk.failing
            await anyio.sleep(random.expovariate(2))
            disk.full = False
            await anyio.sleep(random.expovariate(20))

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(
            disk, clock=clock, warn=heard.append, pause=partial(random.expovariate, 100)
        ) as journal:
            disk.touched = witness.look
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(disturb)
                await load.write(journal, 60)
                await journal.durable(len(load.items))
                tasks.cancel_scope.cancel()
            disk.full, disk.failing = False, 0
            await load.write(journal, 1)
            await journal.durable(len(load.items))
            assert journal.trouble == ""

    lived(main)
    assert heard
    judge(witness, load)
    assert contents(disk) == expected(load.items)


@pytest.mark.parametrize("seed", range(16))
def test_what_a_killed_process_could_not_bring_to_disk_is_brought_before_the_next_goes_on(seed: int) -> None:
    random = Random(seed)
    load = Load(random)
    disk = Disk(random)
    left: list[Disk] = []

    def look() -> None:
        if not disk.failing and not left:
            left.append(disk.after_kill())

    async def main(clock: LoopClock) -> None:
        async with open_simulated_journal(disk, clock=clock) as journal:
            await load.write(journal, 3)
            disk.failing, disk.touched = 1, look
            await journal.durable(journal.append(Entry(Kind.STEP, "env_0", NOW, random.randbytes(20_000))))
        async with open_simulated_journal(left[0], clock=clock) as journal:
            position = journal.append(Entry(Kind.STEP, "env_1", NOW))
            await journal.durable(position)
            log = contents(left[0].after_power_loss())
        assert log[-1][:2] == (position, "env_1")

    lived(main)


@pytest.mark.parametrize("seed", range(8))
def test_life_goes_on_after_each_of_many_losses(seed: int) -> None:
    random = Random(seed)
    load = Load(random)
    disks = [Disk(random)]

    async def live(clock: LoopClock) -> None:
        witness = Witness(disks[-1], load, random, 0.05)
        async with open_simulated_journal(disks[-1], clock=clock) as journal:
            disks[-1].touched = witness.look
            await load.write(journal, 10)
        picture, safe, _taken = witness.pictures[0]
        disks.append(picture)
        log = contents(picture)
        assert log == expected(load.items)[: len(log)]
        async with open_simulated_journal(picture, clock=clock) as journal:
            present = journal.append(Entry(Kind.STEP, "env_0", NOW)) - 1
        assert present >= safe
        load.items[present:] = [Entry(Kind.STEP, "env_0", NOW)]
        load.safe = present + 1

    for _ in range(10):
        lived(live)
