"""Messages between agents, with the journal on disk: how many, and how long each waits for its agent."""

from __future__ import annotations

import time
from collections.abc import Iterator

from msgspec import Struct

from clawmesh.app import App
from clawmesh.bench.child import apart
from clawmesh.bench.fixture import folder, opened, run
from clawmesh.bench.flow import Flow, span
from clawmesh.bench.suite import Advance, Check, at_least, check
from clawmesh.bench.watch import Percentiles, Watch
from clawmesh.config.location import Places

PEAK_GOAL = 20_000
HALF_GOAL = 5.0
OVERLOAD_GOAL = 50.0
# Of each chain the first message comes from outside, and the others go from agent to agent.
HOPS = 8
WIDTH = 256
WARM_SECONDS = 0.5
CONFIG = """
[agents.relay]
type = "relay"
sessions = {sessions}
peers = ["relay"]

[agents.asker]
type = "asker"
peers = ["echo"]

[agents.echo]
type = "echo"
"""
ASKS = 500


class Load(Struct, frozen=True):
    """What a load took: messages that ended, seconds, waits, and the shares of what was offered let in and refused."""

    messages: int
    failures: int
    seconds: float
    cpu_seconds: float
    waits: Percentiles
    admitted: float = 1.0
    refused: float = 0.0

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


class Figures(Struct, frozen=True):
    """All loads."""

    peak: Load
    half: Load
    overload: Load
    asks: Percentiles


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    with folder() as places:
        yield from judged(apart(lambda tell: _figures(places, sessions, tell), advance))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    peak, half, overload = figures.peak, figures.half, figures.overload
    failures = peak.failures + half.failures + overload.failures
    yield check("messages between agents: failed", failures, "", 0)
    yield at_least("peak: messages a second", peak.rate, "", PEAK_GOAL)
    yield check("peak: CPU a message", peak.cpu_seconds / peak.messages * 1e6, "µs")
    yield check("half of peak: wait p50", half.waits.p50, "ms")
    yield check("half of peak: wait p99", half.waits.p99, "ms", HALF_GOAL)
    yield check("half of peak: wait p99.9", half.waits.p999, "ms")
    yield check("overload: wait p50", overload.waits.p50, "ms")
    yield check("overload: wait p99", overload.waits.p99, "ms", OVERLOAD_GOAL)
    yield check("overload: wait p99.9", overload.waits.p999, "ms")
    yield check("overload: let in of what was offered", overload.admitted * 100, "%")
    yield check("overload: refused of what was offered", overload.refused * 100, "%")
    yield check("ask and reply: p50", figures.asks.p50, "ms")
    yield check("ask and reply: p99", figures.asks.p99, "ms")


def _figures(places: Places, sessions: int, advance: Advance) -> Figures:
    async def main() -> Figures:
        async with opened(CONFIG.format(sessions=sessions), places) as app:
            return await _Bench(app, sessions).figures(advance)

    return run(main)


class _Bench:
    def __init__(self, app: App, sessions: int) -> None:
        self._app = app
        self._sessions = sessions
        self._seconds = span(sessions)
        self._watch = Watch()
        app.engine.watch(self._watch)

    async def figures(self, advance: Advance) -> Figures:
        await self._peak(min(WARM_SECONDS, self._seconds), lambda share: None)
        peak = await self._peak(self._seconds, lambda share: advance(share / 4))
        half = await self._offer(peak.rate / 2, lambda share: advance((1 + share) / 4))
        overload = await self._offer(peak.rate * 2, lambda share: advance((2 + share) / 4))
        asks = await self._asks(lambda share: advance((3 + share) / 4))
        return Figures(peak, half, overload, asks)

    async def _peak(self, seconds: float, advance: Advance) -> Load:
        flow = self._flow()
        began, cpu = time.monotonic(), time.process_time()
        await flow.closed(WIDTH, seconds, advance)
        await flow.settle()
        return self._load(flow, time.monotonic() - began, time.process_time() - cpu)

    async def _offer(self, rate: float, advance: Advance) -> Load:
        flow = self._flow()
        began, cpu = time.monotonic(), time.process_time()
        await flow.open(rate / HOPS, self._seconds, advance)
        load = self._load(flow, time.monotonic() - began, time.process_time() - cpu)
        await flow.stop()
        return load

    async def _asks(self, advance: Advance) -> Percentiles:
        self._watch.reset()
        flow = Flow(self._app, lambda number: (f"asker/s{number % self._sessions}", f"echo/s{number % self._sessions}"))
        await flow.open(ASKS, self._seconds, advance)
        await flow.settle()
        return Percentiles.of(self._watch.told)

    def _flow(self) -> Flow:
        self._watch.reset()
        return Flow(self._app, lambda number: (f"relay/s{number % self._sessions}", str(HOPS)))

    def _load(self, flow: Flow, seconds: float, cpu: float) -> Load:
        watch, offered = self._watch, max(flow.offered, 1)
        return Load(
            messages=watch.endings,
            failures=flow.failures + watch.failures,
            seconds=seconds,
            cpu_seconds=cpu,
            waits=Percentiles.of(watch.waits),
            admitted=watch.roots / offered,
            refused=flow.refused / offered,
        )
