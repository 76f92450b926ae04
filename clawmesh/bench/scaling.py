"""Two workers beside one: turns that cost processor time, through the service's own door.

What two processes gain over one depends on the machine: on how many cores are free, and how alike they are. So bare
processes do the same work in the same run, and the goal is nine tenths of what they gain.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from itertools import count, islice

from msgspec import Struct

from clawmesh.bench.child import apart
from clawmesh.bench.fixture import folder, run
from clawmesh.bench.service import open_client, ready, serving
from clawmesh.bench.suite import Advance, Check, at_least, check
from clawmesh.cluster.home import home
from clawmesh.config.location import Places
from clawmesh.mesh.address import Address

# With two whole cores that is 1.8.
GOAL = 0.9
WORKERS = 2
TURNS = 200
# About ten milliseconds of work a turn.
WORK = 240_000
CONFIG = """
[mesh]
workers = {workers}

[agents.burner]
type = "burner"
"""


class Figures(Struct, frozen=True):
    """How many times as many turns two workers did as one, bare processes beside them, and how many turns failed."""

    gain: float
    bare: float
    failures: int


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    turns = max(WORKERS, min(TURNS, sessions))
    seconds, bare, failures = [], [], 0
    for share, workers in ((0.6, 1), (1.0, WORKERS)):
        bare.append(_bare(workers, turns))
        took, failed = _served(workers, turns)
        seconds.append(took)
        failures += failed
        advance(share)
    # On a busy machine one may have had less of it than two; more than twice as much is no gain.
    yield from judged(Figures(seconds[0] / seconds[1], min(bare[0] / bare[1], WORKERS), failures))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    name, beside = f"{WORKERS} workers beside one", {"bare processes": round(figures.bare, 2)}
    yield at_least(f"{name}: gain", figures.gain, "", GOAL * figures.bare, beside)
    yield check(f"{name}: failed", figures.failures, "", 0)


def names(turns: int) -> list[str]:
    """Return names of sessions of which each worker is home to as many as the others."""

    def of(worker: int) -> Iterator[str]:
        return (name for name in map("s{}".format, count()) if home(name, WORKERS) == worker)

    return [name for worker in range(WORKERS) for name in islice(of(worker), turns // WORKERS)]


def _bare(workers: int, turns: int) -> float:
    """Return the seconds that the same work takes bare processes."""

    def work() -> None:
        for _ in range(turns // workers):
            sum(number * number for number in range(WORK))

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work) for _ in range(workers)]
    started = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return time.monotonic() - started


def _served(workers: int, turns: int) -> tuple[float, int]:
    with folder() as places, serving(places, CONFIG.format(workers=workers)) as process:
        ready(process)
        return apart(lambda tell: run(lambda: _burn(places, workers, names(turns))), lambda share: None)


async def _burn(places: Places, workers: int, sessions: list[str]) -> tuple[float, int]:
    """Return the seconds that a turn in each session took, all at once, and how many failed."""
    async with open_client(places.data, workers) as client:
        for name in sessions[:: len(sessions) // WORKERS]:  # each worker loads its agents with the first
            await client.talk(Address("burner", name), "1")
        started = time.monotonic()
        answered = await asyncio.gather(*(client.talk(Address("burner", name), str(WORK)) for name in sessions))
    return time.monotonic() - started, answered.count(False)
