"""kill -9 with turns in flight, and how soon a new process has them all in hand again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from msgspec import Struct

from clawmesh.app import App
from clawmesh.bench.child import killed
from clawmesh.bench.fixture import folder, opened, run
from clawmesh.bench.flow import talk
from clawmesh.bench.provider import Tally, provider
from clawmesh.bench.service import serving
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.config.location import Places
from clawmesh.errors import ResourceError
from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Piece, ToolCall

GOAL = 5.0
PATIENCE = 60.0
POLL_SECONDS = 0.005
STRIDE = 100
# In the first process the tool never returns, in the second one at once.
CONFIG = """
[mesh]
workers = 1

[backends.mock]
type = "openai"
base_url = "{url}"

[agents.worker]
backend = "mock"
model = "tool:1x0"
tools = ["held"]

[agents.echo]
type = "echo"

[tools.held]
hold = {hold}
"""


class Figures(Struct, frozen=True):
    """What became of the turns: seconds until all were resumed, and how many model replies were bought twice."""

    turns: int
    seconds: float
    bought_twice: int


class Calls:
    """Observes an engine until so many tool calls have been made."""

    def __init__(self, turns: int, advance: Advance) -> None:
        self._turns = turns
        self._advance = advance
        self._calls = 0
        self.all = asyncio.Event()

    def accepted(self, envelope: Envelope) -> None: ...

    def piece(self, envelope: Envelope, piece: Piece) -> None:
        if isinstance(piece, ToolCall):
            self._calls += 1
            if self._calls == self._turns:
                self.all.set()
            elif self._calls % STRIDE == 0:
                self._advance(self._calls / self._turns)

    def ended(self, envelope: Envelope, outcome: Outcome) -> None: ...


def checks(sessions: int, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    requests = Tally()
    with folder() as places, provider(requests=requests) as url:
        held = CONFIG.format(url=url, hold="true")
        killed(lambda tell: _hold(held, places, sessions, tell), lambda share: advance(share / 2))
        yield from judged(_resume(places, CONFIG.format(url=url, hold="false"), sessions, requests))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    name = f"kill -9 with {figures.turns:,} turns in flight"
    yield check(f"{name}: all resumed after", figures.seconds, "s", GOAL)
    yield check(f"{name}: replies bought twice", figures.bought_twice, "", 0)


def _hold(config: str, places: Places, turns: int, advance: Advance) -> None:
    """Bring so many turns into their tool, with the model's first reply on disk, and keep them there."""

    async def main() -> None:
        async with opened(config, places) as app:
            await _begin(app, turns, advance)

    run(main)


async def _begin(app: App, turns: int, advance: Advance) -> None:
    calls = Calls(turns, advance)
    app.engine.watch(calls)
    async with asyncio.TaskGroup() as group:
        for number in range(turns):
            group.create_task(talk(app, f"worker/s{number}", "Wait."))
        async with asyncio.timeout(PATIENCE):
            await calls.all.wait()
        # It is acknowledged when it is on disk, and so is then all that was written before it.
        await talk(app, "echo/last", "?")
        advance(1.0)


def _resume(places: Places, config: str, turns: int, requests: Tally) -> Figures:
    before = requests.count
    began = time.monotonic()
    with serving(places, config) as process:
        while requests.count - before < turns:
            if process.poll() is not None:
                raise ResourceError(f"clawmesh serve ended with exit code {process.returncode}")
            if time.monotonic() - began > PATIENCE:
                raise ResourceError(f"{requests.count - before} of {turns} turns were resumed after {PATIENCE:g} s")
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
    return Figures(turns, seconds, requests.count - before - turns)
