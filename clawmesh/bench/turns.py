"""Many conversations at once: each a turn of two streamed model calls and one tool call, with the journal on disk."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator

from msgspec import Struct

from clawmesh.app import App
from clawmesh.bench.child import apart
from clawmesh.bench.fixture import folder, opened, run
from clawmesh.bench.flow import talk
from clawmesh.bench.provider import provider
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.config.location import Places
from clawmesh.runtime import resident

CPU_GOAL = 0.6
MEMORY_GOAL = 400.0
# Both calls take 200 ms: the first one's answer is a tool call, the second one's five pieces of text.
MODEL = "tool:5x40"
WORDS = "What do you find?"
SAMPLE_SECONDS = 0.05
CONFIG = """
[backends.mock]
type = "openai"
base_url = "{url}"

[agents.worker]
backend = "mock"
model = "{model}"
tools = ["look"]
instructions = "You look things up."
"""


class Figures(Struct, frozen=True):
    """What a crowd of turns took: seconds, processor seconds, KiB each while all were under way, and MiB at most."""

    turns: int
    failures: int
    seconds: float
    cpu_seconds: float
    kib_each: float
    peak_mib: float


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    with folder() as places, provider() as url:
        config = CONFIG.format(url=url, model=MODEL)
        yield from judged(apart(lambda tell: _figures(config, places, sessions, tell), advance))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    crowd = f"{figures.turns:,} conversations at once"
    yield check(f"{crowd}: failed", figures.failures, "", 0)
    yield check(f"{crowd}: all done after", figures.seconds, "s")
    yield check(f"{crowd}: turns a second", figures.turns / figures.seconds, "")
    yield check(f"{crowd}: CPU each", figures.cpu_seconds / figures.turns * 1000, "ms", CPU_GOAL)
    yield check(f"{crowd}: peak memory", figures.peak_mib, "MB", MEMORY_GOAL)
    yield check("memory of an active session", figures.kib_each, "KB")


def _figures(config: str, places: Places, sessions: int, advance: Advance) -> Figures:
    async def main() -> Figures:
        async with opened(config, places) as app:
            return await _crowd(app, sessions, advance)

    return run(main)


async def _crowd(app: App, sessions: int, advance: Advance) -> Figures:
    await talk(app, "worker/warm", WORDS)
    before = highest = resident()
    done = failures = 0

    async def one(number: int) -> None:
        nonlocal done, failures
        failures += not await talk(app, f"worker/s{number}", WORDS)
        done += 1

    async def sample() -> None:
        nonlocal highest
        while True:
            highest = max(highest, resident())
            advance(done / sessions)
            await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    started, cpu = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as group:  # whose tasks weigh less: what is weighed is the mesh
        for number in range(sessions):
            group.create_task(one(number))
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    sampling.cancel()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(sessions, failures, seconds, cpu, (highest - before) / 1024 / sessions, peak)
