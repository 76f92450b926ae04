from __future__ import annotations

import asyncio
import threading

import pytest

from clawmesh.journal.runner import ThreadRunner

pytestmark = pytest.mark.anyio


async def test_each_wake_is_followed_by_a_step_and_none_is_lost() -> None:
    runner = ThreadRunner("test")
    taken: list[int] = []
    given: list[int] = []
    everything = asyncio.Event()

    def step() -> None:
        while len(taken) < len(given):
            taken.append(given[len(taken)])
        if len(taken) == 20_000:
            runner.tell(everything.set)

    runner.start(step, lambda error: pytest.fail(repr(error)))
    for number in range(20_000):
        given.append(number)
        runner.wake()
        if number % 100 == 0:
            await asyncio.sleep(0)
    await everything.wait()
    await runner.stop()
    assert taken == given


async def test_a_step_that_asks_for_it_is_called_again_unasked() -> None:
    runner = ThreadRunner("test")
    calls: list[int] = []
    thrice = asyncio.Event()

    def step() -> float | None:
        calls.append(threading.get_ident())
        if len(calls) < 3:
            return 0.001
        runner.tell(thrice.set)
        return None

    runner.start(step, lambda error: pytest.fail(repr(error)))
    await thrice.wait()
    await runner.stop()
    assert len(calls) == 3
    assert threading.get_ident() not in calls


async def test_a_step_that_fails_is_told_of_and_not_called_again() -> None:
    runner = ThreadRunner("test")
    failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    calls: list[None] = []

    def step() -> None:
        calls.append(None)
        raise LookupError("broken")

    runner.start(step, failure.set_result)
    assert repr(await failure) == "LookupError('broken')"
    runner.wake()
    await runner.stop()
    assert len(calls) == 1


async def test_one_that_was_never_started_stops() -> None:
    await ThreadRunner("test").stop()
