"""Clients that take their time, beside quick ones: headers and bodies in drops, and answers that nobody reads.

A server that waits for them is soon full of them. Ours cuts them off, each when its patience for that phase ends.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import cast

from msgspec import Struct

from clawmesh.bench.child import apart
from clawmesh.bench.crowd import SSE
from clawmesh.bench.door import Door, Opener
from clawmesh.bench.fixture import run
from clawmesh.bench.post import Queue, asked, asking
from clawmesh.bench.suite import Advance, Check, at_least, check
from clawmesh.bench.watch import Percentiles
from clawmesh.runtime import settle
from clawmesh.server.limits import Patience

# Of each kind; and so many quick clients, with so many seconds between their requests.
MOST, SHARE = 100, 100
QUICK, PAUSE = 20, 0.05
DROP_SECONDS = 0.5
BODY_BYTES = 100_000
# Of 64 KB: more than the kernel keeps for a client that does not read, and less than the server itself would.
PIECES = 60
RECEIVE_BYTES = 4096
LAST_CHUNK = b"0\r\n\r\n"
# How much later than its patience ends a client may be cut off, and what it may take to find that out.
MARGIN, END_SECONDS = 3.0, 30.0
POLL_SECONDS = 0.05


class Figures(Struct, frozen=True):
    """How many slow clients of each kind there were, and how many were cut off; and how the quick ones fared."""

    each: int
    headers: int
    bodies: int
    readers: int
    failures: int
    waits: Percentiles


def checks(clients: int, opener: Opener, advance: Advance) -> Iterator[Check]:
    """Measure, and yield the figures."""
    each = max(1, min(MOST, clients // SHARE))
    with opener("", 3 * each + QUICK) as door:
        yield from judged(measured(door, each, Patience(), advance))


def judged(figures: Figures) -> Iterator[Check]:
    """Yield the figures, each with its goal."""
    each = figures.each
    yield at_least(f"slow headers: cut off, of {each}", figures.headers, "", each)
    yield at_least(f"slow bodies: cut off, of {each}", figures.bodies, "", each)
    yield at_least(f"answers not read: cut off, of {each}", figures.readers, "", each)
    yield check("quick clients meanwhile: failed", figures.failures, "", 0)
    yield check("quick clients meanwhile: wait p99", figures.waits.p99, "ms")


def measured(door: Door, each: int, patience: Patience, advance: Advance) -> Figures:
    """Let so many slow clients of each kind come to a server with this patience, in a process of their own."""
    return apart(lambda tell: run(lambda: met(door, each, patience, tell)), advance)


async def met(door: Door, each: int, patience: Patience, advance: Advance) -> Figures:
    """Let them come, and return what became of them."""
    seconds = max(patience.header, patience.body, patience.reading) + MARGIN
    quick = Queue(asking(door), requests := int(QUICK * seconds / PAUSE), PAUSE)
    settle()
    with ExitStack() as stack:
        readers = [stack.enter_context(silent()) for _ in range(each)]
        headers = await dripping(door, door.request("GET", "/healthz").removesuffix(b"\r\n") + b"X-Slow: ", each)
        body = b" " * BODY_BYTES
        request = door.request("POST", "/api/agents/echo/messages", body)
        bodies = await dripping(door, request.removesuffix(body), each)
        await asyncio.gather(*(flooded(reader, door) for reader in readers))
        work = asyncio.ensure_future(asked(quick, door.port, QUICK))
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            for dripper in (*headers, *bodies):
                dripper.drip()
            advance(passed / seconds)
            await asyncio.sleep(DROP_SECONDS)
        requests, quick.left = requests - quick.left, 0
        await asyncio.wait_for(work, END_SECONDS)
        cut = sum(await asyncio.gather(*map(was_cut, readers)))
        failures = requests - len(quick.waits)
        return Figures(each, lost(headers), lost(bodies), cut, failures, Percentiles.of(quick.waits))


def lost(drippers: Iterable[Dripper]) -> int:
    """Let those go that are still connected, and return how many were not."""
    count = 0
    for dripper in drippers:
        count += dripper.cut
        dripper.leave()
    return count


async def dripping(door: Door, request: bytes, count: int) -> list[Dripper]:
    """Connect clients that have sent the beginning of a request."""
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(lambda: Dripper(request), "127.0.0.1", door.port) for _ in range(count)]
    return [dripper for _, dripper in pairs]


class Dripper(asyncio.Protocol):
    """Sends the beginning of a request, and then a byte whenever it is told to; `cut` says that it was cut off."""

    _transport: asyncio.Transport

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.cut = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.cut = True

    def drip(self) -> None:
        """Send a byte more."""
        if not self._transport.is_closing():
            self._transport.write(b" ")

    def leave(self) -> None:
        """Close at once."""
        self._transport.abort()


def silent() -> socket.socket:
    """Return a socket for which the kernel keeps next to nothing."""
    reader = socket.socket()
    reader.setblocking(False)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    return reader


async def flooded(reader: socket.socket, door: Door) -> None:
    """Ask for an answer that is longer than anyone keeps."""
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", door.port))
    request = door.request("POST", "/api/agents/flood/messages", b'{"text":"%d"}' % PIECES, SSE)
    await loop.sock_sendall(reader, request)


async def was_cut(reader: socket.socket) -> bool:
    """Read what there is after all, and return whether it lacks its end."""
    loop = asyncio.get_running_loop()
    end = b""
    try:
        async with asyncio.timeout(END_SECONDS):
            while data := await loop.sock_recv(reader, BODY_BYTES):
                end = (end + data)[-len(LAST_CHUNK) :]
                if end == LAST_CHUNK:
                    return False
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
