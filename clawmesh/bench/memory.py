"""What a session takes in memory: warm with ten exchanges of history, and hibernated."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

from msgspec import Struct

from clawmesh.app import App
from clawmesh.bench.child import apart
from clawmesh.bench.fixture import folder, opened, run
from clawmesh.bench.flow import converse
from clawmesh.bench.provider import provider
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.config.location import Places
from clawmesh.runtime import resident

WARM_GOAL = 7.0
HIBERNATED_GOAL = 0.5
EXCHANGES = 10
WIDTH = 100
PATIENCE = 60.0
POLL_SECONDS = 0.05
# Each exchange is of about 400 characters: the words below, and the moment it was written, twelve times.
WORDS = "Tell me what you know about the history of this place, who built it and when, and what has become of it. " * 2
CONFIG = """
[mesh]
hibernate = "{rest}s"

[backends.mock]
type = "openai"
base_url = "{url}"

[agents.worker]
backend = "mock"
model = "12x0"
"""


class Figures(Struct, frozen=True):
    """KiB of memory of one more session, warm and hibernated, and how many sessions never left."""

    warm_kib: float
    hibernated_kib: float
    left: int


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure crowds of a twentieth of the sessions, and yield the figures."""
    with folder() as places, provider() as url:
        config = CONFIG.format(url=url, rest=rest(sessions))
        yield from judged(apart(lambda tell: _figures(config, places, max(1, sessions // 20), tell), advance))


def rest(sessions: int) -> int:
    """Return the seconds after which a session hibernates: enough for a crowd to be measured while it is warm."""
    return min(6, 1 + sessions // 1000)


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    yield check(f"memory of a warm session, {EXCHANGES} exchanges", figures.warm_kib, "KB", WARM_GOAL)
    yield check("memory of a hibernated session", figures.hibernated_kib, "KB", HIBERNATED_GOAL)
    yield check("sessions that did not hibernate", figures.left, "", 0)


def _figures(config: str, places: Places, sessions: int, advance: Advance) -> Figures:
    async def main() -> Figures:
        async with opened(config, places) as app:
            return await _rest(app, sessions, advance)

    return run(main)


async def _rest(app: App, sessions: int, advance: Advance) -> Figures:
    """Compare crowds with those before them, by which all caches are as full as they get."""
    await _talks(app, "a", 2 * sessions)
    advance(0.3)
    before = _held()
    await _talks(app, "b", sessions)
    warm = (_held() - before) / sessions
    advance(0.5)
    await _hibernated(app)
    advance(0.7)
    before = _held()
    await _round(app, "c", sessions)
    left = await _hibernated(app)
    return Figures(warm, max(0, _held() - before) / sessions, left)


async def _talks(app: App, name: str, sessions: int) -> None:
    # Round by round, so that none of them rests for long before all are measured.
    for _ in range(EXCHANGES):
        await _round(app, name, sessions)


async def _round(app: App, name: str, sessions: int) -> None:
    """Let every session take one turn, `WIDTH` of them at once."""
    numbers = iter(range(sessions))

    async def some() -> None:
        for number in numbers:
            await converse(app, f"worker/{name}{number}", WORDS)

    async with asyncio.TaskGroup() as group:
        for _ in range(WIDTH):
            group.create_task(some())


async def _hibernated(app: App) -> int:
    """Wait until all sessions have hibernated; return how many did not."""
    for _ in range(int(PATIENCE / POLL_SECONDS)):
        if not len(app.roster.sessions):
            break
        await asyncio.sleep(POLL_SECONDS)
    return len(app.roster.sessions)


def _held() -> int:
    gc.collect()
    return resident() // 1024
