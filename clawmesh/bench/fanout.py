"""One message to all who follow a topic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from msgspec import Struct

from clawmesh.app import App
from clawmesh.bench.child import apart
from clawmesh.bench.fixture import folder, opened, run
from clawmesh.bench.flow import talk
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.bench.watch import Watch
from clawmesh.config.location import Places

ROUNDS = 3
CONFIG = """
[mesh]
fanout = {most}

[agents.publisher]
type = "publisher"
topics = ["news"]
"""
FOLLOWER = """
[agents.follower_{number}]
type = "echo"
topics = ["news"]
"""


class Figures(Struct, frozen=True):
    """The medians of all rounds, in seconds until all followers were done."""

    followers: int
    failures: int
    seconds: float
    cpu_seconds: float


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    with folder() as places:
        yield from judged(apart(lambda tell: _figures(places, sessions, tell), advance))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    name, each = f"published to {figures.followers:,} agents", 1e6 / figures.followers
    yield check(f"{name}: missed it", figures.failures, "", 0)
    yield check(f"{name}: time each", figures.seconds * each, "µs")
    yield check(f"{name}: CPU each", figures.cpu_seconds * each, "µs")


def _figures(places: Places, followers: int, advance: Advance) -> Figures:
    # The message to the publisher is one, too.
    config = CONFIG.format(most=followers + 1)
    config += "".join(FOLLOWER.format(number=number) for number in range(followers))

    async def main() -> Figures:
        async with opened(config, places) as app:
            return await _rounds(app, followers, advance)

    return run(main)


async def _rounds(app: App, followers: int, advance: Advance) -> Figures:
    watch = Watch()
    app.engine.watch(watch)
    seconds, spent = [], []
    for number in range(ROUNDS):
        began, cpu = time.monotonic(), time.process_time()
        await talk(app, f"publisher/s{number}", "news")
        await app.engine.drained()
        seconds.append(time.monotonic() - began)
        spent.append(time.process_time() - cpu)
        advance((number + 1) / ROUNDS)
    reached = watch.endings - watch.failures - ROUNDS
    return Figures(followers, ROUNDS * followers - reached, median(seconds), median(spent))
