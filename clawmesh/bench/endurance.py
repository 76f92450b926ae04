"""Whether a mesh that runs on and on keeps its size: rounds of turns in new sessions, and of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from statistics import linear_regression

from msgspec import Struct

from clawmesh.app import App
from clawmesh.bench.child import apart
from clawmesh.bench.fixture import folder, opened, run
from clawmesh.bench.flow import converse
from clawmesh.bench.provider import provider
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.config.location import Places
from clawmesh.runtime import resident

GOAL = 100.0
ROUNDS = 16
# Those in which pools fill and the first sessions hibernate.
EARLY = 8
TURNS = 300
CHAINS = 500
HOPS = 8
CONFIG = """
[mesh]
hibernate = "1s"

[backends.mock]
type = "openai"
base_url = "{url}"

[agents.worker]
backend = "mock"
model = "1x0"

[agents.relay]
type = "relay"
sessions = 1000
peers = ["relay"]
"""


class Figures(Struct, frozen=True):
    """Bytes that the process held after each of the later rounds, and the messages of one round."""

    held: Sequence[int]
    messages: int


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figure."""
    scale = min(1.0, sessions / 10_000)
    with folder() as places, provider() as url:
        config = CONFIG.format(url=url)
        yield from judged(apart(lambda tell: _figures(config, places, scale, tell), advance))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figure with its goal: the slope of the line that fits best."""
    slope = linear_regression(range(len(figures.held)), figures.held).slope
    yield check("growth of memory, each message", max(0.0, slope / figures.messages), "bytes", GOAL)


def _figures(config: str, places: Places, scale: float, advance: Advance) -> Figures:
    turns, chains = max(1, int(TURNS * scale)), max(1, int(CHAINS * scale))

    async def main() -> Figures:
        held = []
        async with opened(config, places) as app:
            for number in range(ROUNDS):
                await _round(app, number, turns, chains)
                held.append(resident())
                advance((number + 1) / ROUNDS)
        return Figures(held[EARLY:], turns + chains * HOPS)

    return run(main)


async def _round(app: App, number: int, turns: int, chains: int) -> None:
    async with asyncio.TaskGroup() as group:
        for each in range(turns):
            group.create_task(converse(app, f"worker/r{number}-{each}", "Hello."))
        for each in range(chains):
            group.create_task(converse(app, f"relay/s{each}", str(HOPS)))
    await app.engine.drained()
