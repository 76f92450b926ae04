"""Virtual time: it jumps, it is the same in every run, and it says when nothing can go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from random import Random

import anyio
import pytest

from tests.simulation.loop import LoopClock, StuckError, VirtualLoop


def lived(main: Callable[[VirtualLoop], Awaitable[None]], shuffle: int | None = None) -> VirtualLoop:
    """Run on a loop of its own and return it, closed."""

    async def run() -> None:
        await main(loop)

    with closing(VirtualLoop(None if shuffle is None else Random(shuffle))) as loop:
        loop.run_until_complete(run())
    return loop


def steps(shuffle: int | None, *, together: bool = True) -> list[tuple[float, int]]:
    """Return when which of some tasks took a step."""
    order: list[tuple[float, int]] = []

    async def main(loop: VirtualLoop) -> None:
        async def walk(name: int) -> None:
            for _ in range(5):
                await anyio.sleep(60 if together else 60 + name)
                order.append((loop.time(), name))

        async with anyio.create_task_group() as tasks:
            for name in range(5):
                tasks.start_soon(walk, name)

    lived(main, shuffle)
    return order


def test_a_year_passes_at_once() -> None:
    async def main(_loop: VirtualLoop) -> None:
        with anyio.move_on_after(365 * 86400):
            await anyio.sleep_forever()

    assert lived(main).time() == pytest.approx(365 * 86400)


def test_timers_come_in_their_order() -> None:
    order = steps(None, together=False)
    assert order == sorted((times * (60.0 + name), name) for name in range(5) for times in range(1, 6))


def test_a_seed_gives_one_order_of_tasks() -> None:
    assert steps(7) == steps(7)
    assert steps(7) != steps(8)
    assert sorted(steps(7)) == steps(None)


def test_what_can_never_go_on_is_said() -> None:
    async def main(_loop: VirtualLoop) -> None:
        await anyio.sleep(3)
        await anyio.sleep_forever()

    with pytest.raises(StuckError, match=r"at 3\.000 s nothing is ready"):
        lived(main)


def test_a_loop_that_spins_is_said() -> None:
    async def main(_loop: VirtualLoop) -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    with pytest.raises(StuckError, match="the clock stands"):
        lived(main)


def test_tasks_cancelled_together_end_in_the_order_of_their_start() -> None:
    ended: list[int] = []

    async def main(_loop: VirtualLoop) -> None:
        async def wait(name: int) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append(name)

        async with anyio.create_task_group() as tasks:
            for name in range(50):
                tasks.start_soon(wait, name)
            await anyio.sleep(1)
            tasks.cancel_scope.cancel()

    lived(main)
    assert ended == sorted(ended)


def test_a_wall_clock_may_jump() -> None:
    async def main(loop: VirtualLoop) -> None:
        clock = LoopClock(loop, since=5000)
        await asyncio.sleep(10)
        clock.jump(-3600)
        assert clock.now() == pytest.approx(1410)
        assert clock.monotonic() == pytest.approx(10)

    lived(main)
