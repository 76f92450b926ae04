"""What the message-runners of all frameworks share: `python messages_NAME.py` prints what messages in a process cost.

A chain comes from outside, goes from agent to agent, and ends after eight messages, as in mesh.go. First as many as it
takes, with 256 chains under way; then half as many a second, whether or not those before have ended.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
from array import array
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import uvloop

HOPS = 8
WIDTH = 256
SECONDS = 3.0
TICK = 0.001
AGENTS = 1000

Chain: TypeAlias = Callable[[int], Awaitable[object]]
"""Sends the chain of this number on its way, and waits for its end."""

Arrive: TypeAlias = Callable[[int], int]
"""Notes the arrival of a message that was sent at this moment, and returns the moment at which the next is sent."""


class Meter:
    """Notes how long messages wait for their agents."""

    def __init__(self) -> None:
        self._waits = array("q")

    def arrive(self, sent: int) -> int:
        """Note an arrival."""
        now = time.monotonic_ns()
        self._waits.append(now - sent)
        return now

    async def measure(self, flow: Awaitable[None]) -> dict[str, float]:
        """Let messages flow and return what that took."""
        self._waits = array("q")
        wall, cpu = time.monotonic(), time.process_time()
        await flow
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        waits = sorted(self._waits)
        shares = {"wait_p50_ms": 0.5, "wait_p99_ms": 0.99, "wait_p999_ms": 0.999}
        return {
            "messages_per_second": len(waits) / wall,
            "cpu_us": cpu / len(waits) * 1e6,
            **{name: waits[int((len(waits) - 1) * share)] / 1e6 for name, share in shares.items()},
        }


async def closed(chain: Chain) -> None:
    """Keep 256 chains under way; each is followed by the next."""
    until = time.monotonic() + SECONDS

    async def follow(number: int) -> None:
        while time.monotonic() < until:
            await chain(number)
            number += WIDTH

    await asyncio.gather(*(follow(number) for number in range(WIDTH)))


async def steady(chain: Chain, rate: float) -> None:
    """Begin chains so that there are `rate` messages a second."""
    tasks: set[asyncio.Task[object]] = set()
    started, begun = time.monotonic(), 0
    while (passed := time.monotonic() - started) < SECONDS:
        for number in range(begun, int(passed * rate / HOPS)):
            tasks.add(asyncio.ensure_future(chain(number)))
        begun = int(passed * rate / HOPS)
        await asyncio.sleep(TICK)
    await asyncio.gather(*tasks)


async def run(
    opener: Callable[[Arrive], AbstractAsyncContextManager[Chain]], fill: Callable[[int], Awaitable[object]] | None
) -> None:
    """Measure everything and print the figures."""
    report: dict[str, object] = {}
    if fill:
        kept = [await fill(1)]
        gc.collect()
        before = resident()
        kept.append(await fill(AGENTS))
        gc.collect()
        report["idle_kb"] = (resident() - before) / AGENTS / 1024
    meter = Meter()
    async with opener(meter.arrive) as chain:
        await chain(0)
        gc.collect()
        gc.freeze()
        report["peak"] = peak = await meter.measure(closed(chain))
        report["half"] = await meter.measure(steady(chain, peak["messages_per_second"] / 2))
        print(json.dumps(report), flush=True)
        os._exit(0)  # closing is not part of it


def words() -> list[str]:
    """Return what an idle agent remembers: ten texts of its own."""
    return [f"This is message {number} of a conversation that has gone on for a while." for number in range(10)]


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(
    opener: Callable[[Arrive], AbstractAsyncContextManager[Chain]],
    fill: Callable[[int], Awaitable[object]] | None = None,
) -> None:
    """Measure the chains that `opener` opens, and the idle agents that `fill` makes."""
    gc.set_threshold(50_000, 20, 100)
    uvloop.run(run(opener, fill))
