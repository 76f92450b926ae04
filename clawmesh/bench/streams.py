"""Streams many answers at once from the mock provider, and says what that cost.

`python -m clawmesh.bench.streams URL STREAMS CHUNKS MILLIS ROUNDS [CA_FILE]` runs one load and prints its figures as
JSON, as the references beside it do.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import anyio
import msgspec

from clawmesh.errors import ClawmeshError, ReplyError, TruncatedReplyError
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Deadlines
from clawmesh.http.lines import EventStream
from clawmesh.http.target import Target
from clawmesh.http.tls import Identity
from clawmesh.http.transport import Transport, open_transport
from clawmesh.runtime import loop_options, resident, settle, tune

Hear: TypeAlias = Callable[[str], object]
Streamer: TypeAlias = Callable[[str, Hear], Awaitable[None]]
"""Streams one answer of a model and calls back with each piece of text; raises unless it came to its end."""


@dataclass(frozen=True, slots=True)
class Load:
    """So many streams at once, each of so many chunks, milliseconds apart; and each again and again, `rounds` times."""

    streams: int
    chunks: int
    millis: int
    rounds: int = 1

    @property
    def model(self) -> str:
        return f"{self.chunks}x{self.millis}"


class Figures(msgspec.Struct, frozen=True):
    """What a load took: processor seconds of this process, memory once all streams were under way.

    `lag` is from a chunk's writing by the provider to its text being heard, while all streams were under way; or at
    any time, if they never were all at once.
    """

    requests: int
    failures: int
    chunks: int
    cpu_seconds: float
    kib_each: float
    lag_p50_ms: float
    lag_p99_ms: float


class Meter:
    """Counts chunks and notes how long each was under way."""

    def __init__(self, streams: int) -> None:
        self.lags = array("q")
        self.failures = 0
        self._streams = streams
        self._begun = 0
        self._crowd = slice(0)
        self._before = resident()
        self._held = 0

    def listener(self) -> Hear:
        """Return what one stream calls with each piece of text."""
        append, begun = self.lags.append, False

        def hear(text: str) -> None:
            nonlocal begun
            append(time.monotonic_ns() - int(text))
            if not begun:
                begun = True
                self._begin()

        return hear

    def end(self) -> None:
        """Note that a stream has ended; with the first, they are no longer all under way."""
        if self._crowd.stop is None:
            self._crowd = slice(self._crowd.start, len(self.lags))

    def figures(self, requests: int, cpu: float) -> Figures:
        lags = sorted(self.lags[self._crowd] or self.lags) or [0]
        return Figures(
            requests=requests,
            failures=self.failures,
            chunks=len(self.lags),
            cpu_seconds=cpu,
            kib_each=((self._held or resident()) - self._before) / 1024 / self._streams,
            lag_p50_ms=lags[len(lags) // 2] / 1e6,
            lag_p99_ms=lags[len(lags) * 99 // 100] / 1e6,
        )

    def _begin(self) -> None:
        self._begun += 1
        if self._begun == self._streams:
            self._crowd = slice(len(self.lags), None)
            self._held = resident()


async def measure(load: Load, stream: Streamer) -> Figures:
    """Run a load and return what it took."""
    meter = Meter(load.streams)

    async def repeat() -> None:
        hear = meter.listener()
        for _ in range(load.rounds):
            try:
                await stream(load.model, hear)
            except ClawmeshError:
                meter.failures += 1
        meter.end()

    started = time.process_time()
    async with asyncio.TaskGroup() as group:  # whose tasks weigh less: what is weighed is the client
        for _ in range(load.streams):
            group.create_task(repeat())
    return meter.figures(load.streams * load.rounds, time.process_time() - started)


class Delta(msgspec.Struct):
    content: str = ""


class Choice(msgspec.Struct):
    delta: Delta


class Chunk(msgspec.Struct):
    choices: list[Choice]


decode = msgspec.json.Decoder(Chunk).decode


class Reader:
    """The least that a client can do: cut the stream, decode each chunk, pass its text on."""

    __slots__ = ("_hear", "done", "feed")

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self.done = False
        self.feed = EventStream(self._take).feed

    def head(self, status: int, headers: Headers) -> None:
        if status != 200:
            raise ReplyError(f"the provider answered {status}")

    def _take(self, event: str, data: bytes) -> None:
        if data == b"[DONE]":
            self.done = True
        elif text := decode(data).choices[0].delta.content:
            self._hear(text)


def plain(transport: Transport, url: str) -> Streamer:
    """Return a streamer over the transport alone, without a backend."""
    target = Target.parse(f"{url}/chat/completions", headers={"Content-Type": "application/json"})
    deadlines = Deadlines(wait=60, connect=60)

    async def stream(model: str, hear: Hear) -> None:
        reader = Reader(hear)
        body = b'{"model":"%b","stream":true,"messages":[{"role":"user","content":"hello"}]}' % model.encode()
        await transport.exchange(target, body, reader, deadlines)
        if not reader.done:
            raise TruncatedReplyError("the stream ended without [DONE]")

    return stream


async def run(url: str, load: Load, ca_file: str) -> Figures:
    """Warm up with one request, then run a load."""
    async with open_transport(identity=Identity(ca_file=ca_file)) as transport:
        return await warmed(load, plain(transport, url))


async def warmed(load: Load, stream: Streamer) -> Figures:
    """Run a load after one request that is not counted."""
    await measure(Load(1, 1, 0), stream)
    settle()
    return await measure(load, stream)


def main(arguments: list[str], run: Callable[[str, Load, str], Awaitable[Figures]] = run) -> None:
    """Run the load that the arguments describe and print its figures; `run` is the client that is measured."""
    tune()
    url, *numbers = arguments[:5]
    ca_file = arguments[5] if len(arguments) > 5 else ""
    figures = anyio.run(run, url, Load(*map(int, numbers)), ca_file, backend_options=loop_options())
    sys.stdout.buffer.write(msgspec.json.encode(figures) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
