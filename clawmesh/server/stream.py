"""Server-sent events out: written in the order in which they come, as fast as the client reads.

Source: WHATWG HTML, section 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from clawmesh.server.request import Scope, Send

HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
PING = b": \n\n"
# Nobody between us and the client shall think that the connection is dead.
PING_SECONDS = 15.0
# What may wait for a client that reads too slowly.
WAITING_BYTES = 4 * 1024 * 1024


class Stream:
    """One answer of events to one client."""

    def __init__(self, scope: Scope, send: Send, *, ping: float = PING_SECONDS) -> None:
        self._send = send
        self._pause = ping
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._size = 0
        self._news: asyncio.Future[None] | None = None
        self._gone = False
        self._over = False
        self._work: asyncio.Task[None] | None = None
        self._told = self._loop.time()
        self._cut: Callable[[], None] = scope["extensions"]["clawmesh.cut"]
        self._push: Callable[[bytes], bool] = scope["extensions"]["clawmesh.push"]
        scope["extensions"]["clawmesh.left"](self._leave)

    def put(self, data: bytes) -> None:
        """Write events; they wait where the client has no room for them.

        A client that does not read what it asked for is cut off: whoever tells has others to tell it to, as well.
        """
        if self._gone:
            return
        self._told = self._loop.time()
        # What the client has room for need not wait until the writer has its turn.
        if not self._waiting and self._push(data):
            return
        if self._size and self._size + len(data) > WAITING_BYTES:
            self._leave()
            self._cut()
            return
        self._waiting.append(data)
        self._size += len(data)
        self._wake()

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin the answer, do the work that tells the events, and end when all is written or the client has left.

        The work is cancelled when the client leaves.
        """
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        self._work = self._loop.create_task(self._do(work))
        self._timer = self._loop.call_later(self._pause, self._ping)
        try:
            if self._gone:
                self._work.cancel()
            await self._write()
        finally:
            self._timer.cancel()
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        if not self._work.cancelled():
            self._work.result()  # raises what it failed with
        await self._send({"type": "http.response.body", "body": b""})

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:
            self._over = True
            self._wake()

    async def _write(self) -> None:
        while not self._gone:
            if self._waiting:
                data, self._waiting, self._size = b"".join(self._waiting), [], 0
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
            elif self._over:
                return
            else:
                self._news = self._loop.create_future()
                await self._news

    def _ping(self) -> None:
        """Say that we are there, if nothing was said for so long; one timer for all events costs none of them."""
        due = self._told + self._pause
        if self._waiting:  # it has enough to read
            due = self._loop.time() + self._pause
        elif self._loop.time() >= due:
            self.put(PING)
            due = self._told + self._pause
        self._timer = self._loop.call_at(due, self._ping)

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _leave(self) -> None:
        self._gone = True
        if self._work is not None:
            self._work.cancel()
        self._wake()
