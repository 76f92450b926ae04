"""Small requests over connections that stay open: a message to an agent that says it again, and the bare floor."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Iterator
from typing import cast

import httptools
from msgspec import Struct

from clawmesh.bench.child import apart
from clawmesh.bench.door import Door, Opener
from clawmesh.bench.fixture import run
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.bench.watch import Percentiles
from clawmesh.runtime import settle

CONNECTIONS = 64
# Requests for each client of the suite.
ECHOES, FLOORS = 2, 5
WARM = 5
POLL_SECONDS = 0.05


class Figures(Struct, frozen=True):
    """What requests took of the server: seconds and processor seconds; `waits` are from a request to its answer."""

    requests: int
    failures: int
    seconds: float
    cpu_seconds: float
    waits: Percentiles


def checks(clients: int, opener: Opener, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    with opener("", CONNECTIONS) as door:
        floor = measured(door, asking(door), clients * FLOORS, lambda share: advance(share / 2))
        echo = measured(door, echoing(door), clients * ECHOES, lambda share: advance(0.5 + share / 2))
    yield from judged("GET /healthz", floor)
    yield from judged("POST to an agent", echo)


def judged(name: str, figures: Figures) -> Iterator[Check]:
    """Yield the figures of one kind of request."""
    yield check(f"{name}: failed", figures.failures, "", 0)
    yield check(f"{name}: requests a second", figures.requests / figures.seconds, "")
    yield check(f"{name}: CPU each", figures.cpu_seconds / figures.requests * 1e6, "µs")
    yield check(f"{name}: wait p99", figures.waits.p99, "ms")


def asking(door: Door) -> bytes:
    """Return the least that can be asked."""
    return door.request("GET", "/healthz")


def echoing(door: Door) -> bytes:
    """Return a message to the agent that says it again, in a session of its own."""
    return door.request("POST", "/api/agents/echo/messages", b'{"text":"hello"}')


def measured(door: Door, request: bytes, requests: int, advance: Advance) -> Figures:
    """Ask so often, in a process of its own."""
    return apart(lambda tell: run(lambda: _figures(door, request, requests, tell)), advance)


async def _figures(door: Door, request: bytes, requests: int, advance: Advance) -> Figures:
    await asked(Queue(request, WARM * CONNECTIONS), door.port, CONNECTIONS)
    settle()
    queue = Queue(request, requests)
    cpu, started = door.cpu_seconds(), time.monotonic()
    work = asyncio.ensure_future(asked(queue, door.port, CONNECTIONS))
    while not work.done():
        advance(len(queue.waits) / requests)
        await asyncio.wait([work], timeout=POLL_SECONDS)
    seconds, cpu = time.monotonic() - started, door.cpu_seconds() - cpu
    return Figures(requests, requests - len(queue.waits), seconds, cpu, Percentiles.of(queue.waits))


class Queue:
    """Requests that are still to be asked, all alike, and how long the answers took, in nanoseconds.

    With a `pause` a connection waits so many seconds before it asks again.
    """

    def __init__(self, request: bytes, left: int, pause: float = 0.0) -> None:
        self.request = request
        self.left = left
        self.pause = pause
        self.waits = array("q")


async def asked(queue: Queue, port: int, connections: int) -> None:
    """Ask until nothing is left, or every connection has been lost."""
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: Caller(queue, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)


class Caller(asyncio.Protocol):
    """One connection: asks, takes the answer, asks again; an answer that is none loses the connection."""

    __slots__ = ("_asked", "_end", "_parser", "_queue", "_transport")

    _transport: asyncio.Transport

    def __init__(self, queue: Queue, end: asyncio.Future[None]) -> None:
        self._queue = queue
        self._end = end
        self._asked = 0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self._transport.abort()
            return
        self._queue.waits.append(time.monotonic_ns() - self._asked)
        if self._queue.pause:
            asyncio.get_running_loop().call_later(self._queue.pause, self._ask)
        else:
            self._ask()

    def _ask(self) -> None:
        if self._transport.is_closing():
            return
        if not self._queue.left:
            self._transport.close()
            return
        self._queue.left -= 1
        self._asked = time.monotonic_ns()
        self._transport.write(self._queue.request)
