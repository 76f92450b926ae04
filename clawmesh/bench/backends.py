"""The suite `backends`: streamed model calls through the product's own backend, start-up, and many agents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clawmesh.abc.backend import Backend, Request
from clawmesh.bench import start
from clawmesh.bench.fixture import folder, opened
from clawmesh.bench.fixture import run as run_loop
from clawmesh.bench.provider import provider
from clawmesh.bench.streams import Figures, Hear, Load, Streamer, measure
from clawmesh.bench.suite import Check, Progress, check
from clawmesh.messages import Message, Piece, Text

NAME = "backends"
KIB_GOAL = 12.0
LAG_GOAL = 5.0
CONFIG = """
[backends.mock]
type = "openai"
base_url = "{url}"

[agents.warm]
model = "1x0"

[agents.load]
model = "{model}"
"""


def loads(streams: int) -> Mapping[str, Load]:
    """Return what is streamed: requests one after the other, many chunks a second, and as many streams as asked."""
    return {"alone": Load(1, 1, 0, 3000), "busy": Load(1000, 200, 20), "crowd": Load(streams, 20, 500)}


def run(streams: int, progress: Progress) -> list[Check]:
    """Measure everything; `progress` hears what is being measured."""
    progress("start, and 10,000 agents", 0.0)
    checks = list(start.checks())
    figures = {}
    with provider() as url:
        for number, (name, load) in enumerate(loads(streams).items(), 1):
            what = f"{load.streams * load.rounds:,} streams of {load.chunks} chunks, {load.streams:,} at once"
            progress(what, number / 4)
            figures[name] = _stream(url, load)
    return [*judged(figures), *checks]


def judged(figures: Mapping[str, Figures]) -> Iterator[Check]:
    """Yield the figures of the loads, each with its goal."""
    alone, busy, crowd = figures["alone"], figures["busy"], figures["crowd"]
    streams = f"{crowd.requests:,} streams at once"
    failed = sum(each.failures for each in figures.values())
    yield check(f"{streams}: failed", failed, "", 0)
    yield check(f"{streams}: CPU each", crowd.cpu_seconds / crowd.requests * 1e6, "µs")
    yield check(f"{streams}: memory each", crowd.kib_each, "KB", KIB_GOAL)
    yield check(f"{streams}: lag p99", crowd.lag_p99_ms, "ms", LAG_GOAL)
    yield check("a streamed request alone: CPU", alone.cpu_seconds / alone.requests * 1e6, "µs")
    yield check("a chunk at 50,000 a second: CPU", busy.cpu_seconds / busy.chunks * 1e6, "µs")


def _stream(url: str, load: Load) -> Figures:
    async def main() -> Figures:
        with folder() as places:
            async with opened(CONFIG.format(url=url, model=load.model), places) as app:
                await measure(Load(1, 1, 0), _streamer(app.roster.mind("warm").backend))
                return await measure(load, _streamer(app.roster.mind("load").backend))

    return run_loop(main)


def _streamer(backend: Backend) -> Streamer:
    async def stream(model: str, hear: Hear) -> None:
        def emit(piece: Piece) -> None:
            if isinstance(piece, Text):
                hear(piece.text)

        await backend.complete(Request(model=model, messages=(Message.user("hello"),)), emit)

    return stream
