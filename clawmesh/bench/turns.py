"""Many conversations at once, with the journal on disk.

First each is a turn of two streamed model calls, of 200 ms each, and one tool call between them, as quick as they go.
Then each is one model call that lasts until all of them are under way at the same time.
"""

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
from clawmesh.bench.suite import Advance, Check, at_least, check
from clawmesh.config.location import Places
from clawmesh.errors import ClawmeshError
from clawmesh.runtime import resident

CPU_GOAL = 0.6
MEMORY_GOAL = 400.0
WORDS = "What do you find?"
SAMPLE_SECONDS = 0.05
CONFIG = """
[backends.mock]
type = "openai"
base_url = "{url}"

[agents.worker]
backend = "mock"
model = "tool:5x40"
tools = ["look"]
instructions = "You look things up."

[agents.thinker]
backend = "mock"
model = "all:{sessions}"
"""


class Figures(Struct, frozen=True):
    """What the turns took: seconds and processor seconds of the quick ones; memory of those that are held.

    `together` is how many were under way at the same time, `kib_each` what each took then, `peak_mib` what the process
    took at most.
    """

    turns: int
    failures: int
    seconds: float
    cpu_seconds: float
    together: int
    kib_each: float
    peak_mib: float


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    with folder() as places, provider() as url:
        config = CONFIG.format(url=url, sessions=sessions)
        yield from judged(apart(lambda tell: _figures(config, places, sessions, tell), advance))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    crowd = f"{figures.turns:,} conversations at once"
    yield check(f"{crowd}: failed", figures.failures, "", 0)
    yield check(f"{crowd}: all done after", figures.seconds, "s")
    yield check(f"{crowd}: turns a second", figures.turns / figures.seconds, "")
    yield check(f"{crowd}: CPU each", figures.cpu_seconds / figures.turns * 1000, "ms", CPU_GOAL)
    yield at_least(f"{crowd}: under way together", figures.together, "", figures.turns)
    yield check(f"{crowd}: peak memory", figures.peak_mib, "MB", MEMORY_GOAL)
    yield check("memory of an active session", figures.kib_each, "KB")


def _figures(config: str, places: Places, sessions: int, advance: Advance) -> Figures:
    async def main() -> Figures:
        async with opened(config, places) as app:
            return await _crowds(app, sessions, advance)

    return run(main)


async def _crowds(app: App, sessions: int, advance: Advance) -> Figures:
    await talk(app, "worker/first", WORDS)
    quick = Crowd(app, "worker", sessions, lambda share: advance(share / 2))
    started, cpu = time.monotonic(), time.process_time()
    await quick.run()
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    before = resident()
    held = Crowd(app, "thinker", sessions, lambda share: advance(0.5 + share / 2))
    await held.run()
    return Figures(
        turns=sessions,
        failures=quick.failures + held.failures,
        seconds=seconds,
        cpu_seconds=cpu,
        together=held.together,
        kib_each=(held.highest - before) / 1024 / sessions,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


class Crowd:
    """As many sessions of an agent as asked, which all begin a turn at once; `highest` is the most memory seen."""

    def __init__(self, app: App, agent: str, sessions: int, advance: Advance) -> None:
        self._app = app
        self._agent = agent
        self._sessions = sessions
        self._advance = advance
        self._done = 0
        self.failures = 0
        self.together = 0
        self.highest = 0

    async def run(self) -> None:
        """Return when all are done."""
        async with asyncio.TaskGroup() as group:  # whose tasks weigh less: what is weighed is the mesh
            sampling = group.create_task(self._sample())
            async with asyncio.TaskGroup() as crowd:
                for number in range(self._sessions):
                    crowd.create_task(self._one(number))
            sampling.cancel()

    async def _one(self, number: int) -> None:
        try:
            self.failures += not await talk(self._app, f"{self._agent}/s{number}", WORDS)
        except ClawmeshError:
            self.failures += 1
        self._done += 1

    async def _sample(self) -> None:
        while True:
            self.together = max(self.together, self._app.engine.under_way)
            self.highest = max(self.highest, resident())
            self._advance(self._done / self._sessions)
            await asyncio.sleep(SAMPLE_SECONDS)
