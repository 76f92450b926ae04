"""Clients that all listen to long answers at the same time, one piece a second each, as server-sent events.

First the agents say the moment by themselves, so that what is measured is the door. Then a model says it: the relay,
from a provider's stream through the agent's turn into the client's.
"""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

import httptools
from msgspec import Struct

from clawmesh.bench.child import apart
from clawmesh.bench.door import Door, Opener, room
from clawmesh.bench.fixture import run
from clawmesh.bench.provider import provider
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.bench.watch import Percentiles
from clawmesh.errors import ResourceError
from clawmesh.http.lines import EventStream
from clawmesh.runtime import raise_descriptors, settle

LAG_GOAL = 50.0
MEMORY_GOAL = 25.0
CHAT = "/v1/chat/completions"
SSE = "text/event-stream"
# So many connect at a time, as from a good network; a listener's backlog is for more.
WIDTH = 200
PATIENCE = 120.0
POLL_SECONDS = 0.05
# For how long is counted once all listen; a small crowd, which is measured to try things out, takes less.
SECONDS, CLIENTS_A_SECOND = 10.0, 200
ANSWER_SECONDS = 600
# The moment, as our own events and those of OpenAI's chat completions hold it.
STAMP = re.compile(rb'"(?:text|content)":"([0-9]{1,19}) ?"')

Way: TypeAlias = Callable[[Door], bytes]
"""Makes the request for an answer of one piece a second."""


class Figures(Struct, frozen=True):
    """What a crowd took of the server: seconds until all listened, and from then on its processor time and lags.

    `kib_each` is the memory for each client, `lags` are from the saying of a piece to its being heard.
    """

    clients: int
    failures: int
    connect_seconds: float
    events: int
    cpu_seconds: float
    kib_each: float
    lags: Percentiles


def ticks(clients: int, opener: Opener, advance: Advance) -> Iterator[Check]:
    """Measure the door alone, and yield the figures."""
    count = min(clients, room(1))
    with opener("", count) as door:
        found = measured(door, ticking, count, advance)
    yield from judged("SSE clients", found, lag=LAG_GOAL)
    yield from shortened("SSE clients", clients, count)


def relays(clients: int, opener: Opener, advance: Advance) -> Iterator[Check]:
    """Measure the relay, by our own route and, where there is one, by OpenAI's; yield the figures."""
    count = min(clients, room(2))
    ways: dict[str, Way] = {"relayed conversations": relaying, "relayed chat completions": chatting}
    for number, (name, way) in enumerate(ways.items()):
        with provider() as url, opener(url, count) as door:
            if way is chatting and not speaks(door):
                continue
            found = measured(door, way, count, lambda share, done=number: advance((done + share) / len(ways)))  # type: ignore[misc]
        yield from judged(name, found, memory=MEMORY_GOAL)
    yield from shortened("relayed conversations", clients, count)


def judged(name: str, figures: Figures, lag: float | None = None, memory: float | None = None) -> Iterator[Check]:
    """Yield the figures of a crowd, with these goals."""
    crowd = f"{figures.clients:,} {name}"
    yield check(f"{crowd}: failed", figures.failures, "", 0)
    yield check(f"{crowd}: all connected within", figures.connect_seconds, "s")
    yield check(f"{crowd}: CPU an event", figures.cpu_seconds / max(figures.events, 1) * 1e6, "µs")
    yield check(f"{crowd}: memory each", figures.kib_each, "KB", memory)
    yield check(f"{crowd}: lag p50", figures.lags.p50, "ms")
    yield check(f"{crowd}: lag p99", figures.lags.p99, "ms", lag)


def shortened(name: str, asked: int, count: int) -> Iterator[Check]:
    """Note that there were fewer clients than asked for."""
    if count < asked:
        limit = f"the limit of {raise_descriptors():,} file descriptors allows no more"
        yield check(f"{name}, of {asked:,} asked for: {limit}", count, "")


def span(clients: int) -> float:
    """Return the seconds for which is counted."""
    return min(SECONDS, 1 + clients / CLIENTS_A_SECOND)


def ticking(door: Door) -> bytes:
    """Ask the agent that says the moment by itself."""
    return door.request("POST", "/api/agents/ticker/messages", b'{"text":"%d"}' % ANSWER_SECONDS, SSE)


def relaying(door: Door) -> bytes:
    """Ask the agent that has it from a model."""
    return door.request("POST", "/api/agents/relay/messages", b'{"text":"What time is it?"}', SSE)


def chatting(door: Door) -> bytes:
    """Ask the same agent as OpenAI's clients do."""
    body = b'{"model":"relay","stream":true,"messages":[{"role":"user","content":"What time is it?"}]}'
    return door.request("POST", CHAT, body, SSE)


def speaks(door: Door) -> bool:
    """Whether a server knows OpenAI's chat completions."""

    async def ask() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(door.request("POST", CHAT, b"{}"))
        line = await reader.readline()
        writer.close()
        return b" 404 " not in line

    return apart(lambda tell: run(ask), lambda share: None)


def measured(door: Door, way: Way, clients: int, advance: Advance) -> Figures:
    """Let a crowd listen, in a process of its own.

    Raises:
        ResourceError: not all have heard something, or have failed, after two minutes.
    """
    return apart(lambda tell: run(lambda: _figures(door, way(door), clients, tell)), advance)


async def _figures(door: Door, request: bytes, clients: int, advance: Advance) -> Figures:
    first = Crowd(door.port, request)
    await first.gather(1, lambda share: None)
    await first.leave()
    crowd = Crowd(door.port, request)
    before, started = door.resident(), time.monotonic()
    await crowd.gather(clients, lambda share: advance(share / 2))
    connected = crowd.connected - started
    settle()
    crowd.lags = array("q")
    cpu, began, seconds = door.cpu_seconds(), time.monotonic(), span(clients)
    while (passed := time.monotonic() - began) < seconds:
        advance(0.5 + passed / seconds / 2)
        await asyncio.sleep(POLL_SECONDS)
    cpu, memory, lags, failures = door.cpu_seconds() - cpu, door.resident(), crowd.lags, crowd.failures
    await crowd.leave()
    each = (memory - before) / 1024 / clients
    return Figures(clients, failures, connected, len(lags), cpu, each, Percentiles.of(lags))


class Crowd:
    """Clients with one request each; `connected` is when the last one had the answer's head, `lags` in nanoseconds."""

    def __init__(self, port: int, request: bytes) -> None:
        self.request = request
        self.lags = array("q")
        self.failures = 0
        self.heard = 0
        self.connected = 0.0
        self._port = port
        self._leaving = False
        self._left = asyncio.Event()
        self._listeners: set[Listener] = set()

    async def gather(self, clients: int, advance: Advance) -> None:
        """Return when so many clients have heard something, or have failed."""
        rest = iter(range(clients))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(WIDTH, clients)):
                group.create_task(self._connect(rest))
        self.connected = time.monotonic()
        while self.heard + self.failures < clients:
            if time.monotonic() - self.connected > PATIENCE:
                raise ResourceError(f"{self.heard} of {clients} clients have heard something after {PATIENCE:g} s")
            advance((self.heard + self.failures) / clients)
            await asyncio.sleep(POLL_SECONDS)

    async def leave(self) -> None:
        """Let all clients leave in the middle of the answer."""
        self._leaving = True
        for listener in [*self._listeners]:
            listener.abort()
        if self._listeners:
            await self._left.wait()

    async def _connect(self, rest: Iterator[int]) -> None:
        loop = asyncio.get_running_loop()
        for _ in rest:
            answered = loop.create_future()
            try:
                await loop.create_connection(lambda told=answered: Listener(self, told), "127.0.0.1", self._port)  # type: ignore[misc]
            except OSError:
                self.failures += 1
            else:
                await answered

    def join(self, listener: Listener) -> None:
        """Count one in."""
        self._listeners.add(listener)

    def lose(self, listener: Listener) -> None:
        """Count one out; it has failed unless all leave."""
        self._listeners.discard(listener)
        self.failures += not self._leaving
        if not self._listeners:
            self._left.set()


class Listener(asyncio.Protocol):
    """One client: asks once, and hears the pieces of the answer; `answered` is set when that has begun, or failed."""

    __slots__ = ("_answered", "_began", "_crowd", "_events", "_parser", "_transport")

    _transport: asyncio.Transport

    def __init__(self, crowd: Crowd, answered: asyncio.Future[None]) -> None:
        self._crowd = crowd
        self._answered = answered
        self._began = False
        self._parser = httptools.HttpResponseParser(self)
        self._events = EventStream(self._hear)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._crowd.join(self)
        self._transport.write(self._crowd.request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tell()
        self._crowd.lose(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() == 200:
            self._tell()
        else:
            self._transport.abort()

    def on_body(self, data: bytes) -> None:
        self._events.feed(data)

    def on_message_complete(self) -> None:
        self._transport.abort()

    def _hear(self, event: str, data: bytes) -> None:
        if stamp := STAMP.search(data):
            self._crowd.lags.append(time.monotonic_ns() - int(stamp[1]))
            if not self._began:
                self._began = True
                self._crowd.heard += 1

    def _tell(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)
