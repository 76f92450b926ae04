from __future__ import annotations

import asyncio
import threading

import anyio
import pytest

from clawmesh.agent.threads import Threads

pytestmark = pytest.mark.anyio


async def test_at_most_so_many_run_at_once() -> None:
    threads = Threads("test", limit=2)
    loop = asyncio.get_running_loop()
    gate, two = threading.Event(), anyio.Event()
    running: list[int] = []

    def arrive() -> None:
        running.append(1)
        if len(running) == 2:
            two.set()

    def work() -> None:
        loop.call_soon_threadsafe(arrive)
        gate.wait(10)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(threads.run, work)
        await two.wait()
        await anyio.wait_all_tasks_blocked()
        assert len(running) == 2
        gate.set()
    assert len(running) == 3


async def test_a_cancelled_call_keeps_its_place_until_it_ends() -> None:
    threads = Threads("test", limit=1)
    gate, started = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        gate.wait(10)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(threads.run, hang)
        await anyio.to_thread.run_sync(started.wait)
        tasks.cancel_scope.cancel()
    with anyio.move_on_after(0) as scope:
        await threads.run(lambda: None)
    assert scope.cancelled_caught
    gate.set()
    assert await threads.run(lambda: 7) == 7


async def test_threads_do_not_hold_up_the_end_of_the_process() -> None:
    assert await Threads("test").run(lambda: threading.current_thread().daemon)


async def test_what_is_raised_comes_out() -> None:
    with pytest.raises(SystemExit, match="3"):
        await Threads("test").run(lambda: exec("raise SystemExit(3)"))
