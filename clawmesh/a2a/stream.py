"""Server-sent events out, for the streams of both bindings.

Source: WHATWG HTML, section 9.2; A2A specification 1.0, sections 9.4.2 and 11.7: each event is one `data` field.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from clawmesh.errors import ClawmeshError
from clawmesh.server.request import Scope, Send

HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
PING = b": \n\n"
# Nobody between us and the client shall think that the connection is dead.
PING_SECONDS = 15.0
# What may wait for a client that reads too slowly; one that is further behind is cut off, and may subscribe again.
WAITING_BYTES = 4 * 1024 * 1024


class EventStream:
    """One stream to one client."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._size = 0
        self._news: asyncio.Future[None] | None = None
        self._gone = False
        self._over = False
        self._work: asyncio.Task[None] | None = None
        scope["extensions"]["clawmesh.left"](self._leave)

    def tell(self, value: Any, event: str = "") -> None:
        """Tell a value; a client that does not read what it asked for hears nothing more."""
        name = b"event: %b\n" % event.encode() if event else b""
        self._put(b"%bdata: %b\n\n" % (name, msgspec.json.encode(value)))

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]], failed: Callable[[ClawmeshError], None]) -> None:
        """Begin the answer, do the work that tells the events, and end when all is written or the client has left.

        Leaving ends the stream and not the task. `failed` tells the client of an error of the work.
        """
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        self._work = self._loop.create_task(self._do(work, failed))
        try:
            if self._gone:
                self._work.cancel()
            await self._write()
        finally:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        if not self._work.cancelled():
            self._work.result()  # raises what it failed with
        await self._send({"type": "http.response.body", "body": b""})

    async def _do(self, work: Callable[[], Coroutine[Any, Any, None]], failed: Callable[[ClawmeshError], None]) -> None:
        try:
            await work()
        except ClawmeshError as error:
            failed(error)
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
                timer = self._loop.call_later(PING_SECONDS, self._put, PING)
                try:
                    await self._news
                finally:
                    timer.cancel()

    def _put(self, data: bytes) -> None:
        if self._gone:
            return
        if self._size + len(data) > WAITING_BYTES:
            # Never an error of the turn that tells it: others may follow the same task (section 3.5.2).
            self._leave()
            return
        self._waiting.append(data)
        self._size += len(data)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _leave(self) -> None:
        self._gone = True
        if self._work is not None:
            self._work.cancel()
        self._wake()
