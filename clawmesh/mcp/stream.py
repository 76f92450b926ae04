"""An answer that comes piece by piece: how the work goes on, then its result.

Nothing piles up: what is told while the client reads is joined into one notification for when it has read, and of that
the newest words alone are kept.

Sources: MCP 2026-07-28, "Streamable HTTP", section "Receiving Messages", and "Progress"; WHATWG HTML, section 9.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio

from clawmesh.mcp.exchange import STREAM, event_of
from clawmesh.mcp.frame import Id, notification
from clawmesh.messages import Piece, Reasoning, Retraction, Text, ToolCall, ToolResult
from clawmesh.server.request import Send

HEADERS = [(b"content-type", STREAM.encode()), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
PING = b": \n\n"
# Nobody between us and the client shall think that the connection is dead.
PING_SECONDS = 15.0
# Between two notifications.
PACE_SECONDS = 0.1
CHARACTERS = 2000


class Progress:
    """What has been told since the last notification; `token` is what the client tells its notifications by."""

    def __init__(self, token: Id | None) -> None:
        self.news = anyio.Event()
        self._token = token
        self._count = 0
        self._told = 0
        self._words = ""

    def tell(self, piece: Piece) -> None:
        """Note a piece of the answer."""
        if self._token is None:
            return
        self._count += 1
        self._words += words_of(piece)
        if len(self._words) > 2 * CHARACTERS:
            self._words = self._words[-CHARACTERS:]
        self.news.set()

    def take(self) -> bytes:
        """Return an event that tells what there is to tell, b"" if nothing.

        The measure is how many pieces there were, since it has to grow each time; how many there will be, nobody knows.
        """
        self.news = anyio.Event()
        if self._count == self._told:
            return b""
        self._told = self._count
        words, self._words = self._words[-CHARACTERS:], ""
        params: dict[str, Any] = {"progressToken": self._token, "progress": self._count}
        return event_of(notification("notifications/progress", {**params, "message": words} if words else params))


class Source(Protocol):
    """Where a stream has its events from; `news` is set when there are some."""

    news: anyio.Event

    def take(self) -> bytes:
        """Return what there is to tell, b"" if nothing, and begin to wait for more."""


class Stream:
    """One answer to one client."""

    def __init__(self, send: Send, source: Source) -> None:
        self._send = send
        self._source = source
        self._over = anyio.Event()

    async def run(self, work: Callable[[], Awaitable[bytes]], first: bytes = b"") -> None:
        """Do the work, tell how it goes on, and end with the message that it returns; an event may come `first`.

        Whoever cancels this ends the work too; then `close` ends the answer without a result.
        """
        await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if first:
            await self._send({"type": "http.response.body", "body": first, "more_body": True})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell)
            result = await work()
            self._over.set()
            self._source.news.set()
        await self._send({"type": "http.response.body", "body": self._source.take() + event_of(result)})

    async def close(self) -> None:
        """End the answer with what has been said."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _tell(self) -> None:
        while not self._over.is_set():
            with anyio.move_on_after(PING_SECONDS) as waiting:
                await self._source.news.wait()
            if self._over.is_set():
                return  # what is left is told with the result
            data = PING if waiting.cancelled_caught else self._source.take()
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            with anyio.move_on_after(PACE_SECONDS):
                await self._over.wait()


def words_of(piece: Piece) -> str:
    """Return a piece of an answer as people read it."""
    match piece:
        case Text(text) | Reasoning(text):
            return text
        case ToolCall(name=name):
            return f"\n[calls {name}]\n"
        case ToolResult(name=name, failed=failed):
            return f"\n[{name} {'failed' if failed else 'is done'}]\n"
        case Retraction(reason):
            return f"\n[starts again: {reason}]\n"
        case _:
            return ""
