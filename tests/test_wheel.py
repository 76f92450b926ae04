"""The wheel, turned by hand on a clock that the test moves."""

from __future__ import annotations

import anyio
import pytest

from clawmesh.wheel import TICK, Wheel


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Item:
    """Is due when `due` says so, and notes when it was looked at."""

    def __init__(self, due: float) -> None:
        self.slot = 0
        self.due = due
        self.looked: list[float] = []
        self.over = anyio.Event()

    def check(self, now: float) -> float:
        self.looked.append(now)
        if now < self.due:
            return self.due
        self.over.set()
        return 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wheel(clock: Clock) -> Wheel:
    return Wheel(clock)


def turn_to(wheel: Wheel, clock: Clock, time: float) -> None:
    while clock.time < time:
        clock.time += TICK
        wheel.turn()


def test_item_is_looked_at_once_within_a_tick_after_its_deadline(wheel: Wheel, clock: Clock) -> None:
    items = [Item(1000.0 + late) for late in (0.01, 0.25, 0.3, 1.0, 7.77)]
    for item in items:
        wheel.watch(item, item.due)
    turn_to(wheel, clock, 1020.0)
    for item in items:
        assert len(item.looked) == 1
        assert item.due <= item.looked[0] <= item.due + TICK


def test_deadline_that_moved_away_is_looked_at_again(wheel: Wheel, clock: Clock) -> None:
    item = Item(1001.0)
    wheel.watch(item, 1001.0)
    item.due = 1005.0
    turn_to(wheel, clock, 1010.0)
    assert [round(time) for time in item.looked] == [1001, 1005]


def test_earlier_deadline_moves_the_item_and_a_later_one_does_not(wheel: Wheel, clock: Clock) -> None:
    item = Item(1002.0)
    wheel.watch(item, 1008.0)
    wheel.watch(item, 1002.0)
    wheel.watch(item, 1009.0)
    turn_to(wheel, clock, 1020.0)
    assert len(item.looked) == 1
    assert item.looked[0] <= 1002.0 + TICK


def test_dropped_item_is_not_looked_at(wheel: Wheel, clock: Clock) -> None:
    item = Item(1001.0)
    wheel.watch(item, 1001.0)
    wheel.drop(item)
    wheel.drop(item)
    turn_to(wheel, clock, 1003.0)
    assert item.looked == []


def test_item_dropped_by_another_in_the_same_turn_is_not_looked_at(wheel: Wheel, clock: Clock) -> None:
    class Dropping(Item):
        def check(self, now: float) -> float:
            wheel.drop(other if self is first else first)
            return super().check(now)

    first, other = Dropping(1001.0), Dropping(1001.0)
    wheel.watch(first, 1001.0)
    wheel.watch(other, 1001.0)
    turn_to(wheel, clock, 1003.0)
    assert len(first.looked) + len(other.looked) == 1


def test_clock_that_jumps_misses_nothing(wheel: Wheel, clock: Clock) -> None:
    items = [Item(1001.0 + at) for at in range(10)]
    for item in items:
        wheel.watch(item, item.due)
    clock.time = 5000.0
    wheel.turn()
    assert all(item.looked == [5000.0] for item in items)


@pytest.mark.anyio
async def test_run_wakes_for_what_is_watched_later() -> None:
    wheel = Wheel(anyio.current_time)
    async with anyio.create_task_group() as group:
        group.start_soon(wheel.run)
        await anyio.wait_all_tasks_blocked()
        for _ in range(2):
            item = Item(anyio.current_time())
            wheel.watch(item, item.due)
            await item.over.wait()
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_failure_of_a_check_leaves_run() -> None:
    class Failing(Item):
        def check(self, now: float) -> float:
            raise LookupError("broken")

    wheel = Wheel(anyio.current_time)
    wheel.watch(Failing(0.0), anyio.current_time())
    with pytest.raises(LookupError, match="broken"):
        await wheel.run()
