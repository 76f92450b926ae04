"""One request and its answer, as an ASGI application sees them (ASGI 3.0, HTTP spec version 2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from clawmesh.errors import FramingError

if TYPE_CHECKING:
    from clawmesh.server.connection import Connection

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}
# More of a body than this waits in the socket until the application takes what is here.
HELD_BYTES = 64 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
# Their answers end with the header (RFC 9112, 6.3).
BODILESS = frozenset({204, 304})
UNKNOWN = -1


class Request:
    """Holds what has come of a request, and writes its answer to the connection.

    `came` counts the bytes of its body, `ended` says that this is complete, `answered` that the answer is, and `gone`
    that nobody is there to hear it. `expecting` is a client that sends its body only when it is told to go on. `left`
    is called when the client leaves before it has its answer; an application finds it as an extension of the scope.
    """

    __slots__ = (
        "_chunked",
        "_connection",
        "_held",
        "_left",
        "_news",
        "_size",
        "_told",
        "answered",
        "came",
        "ended",
        "expecting",
        "gone",
        "keep_alive",
        "left",
        "scope",
        "started",
    )

    def __init__(self, connection: Connection, scope: Scope, *, keep_alive: bool, expecting: bool) -> None:
        self._connection = connection
        self.scope = scope
        self.keep_alive = keep_alive
        self.expecting = expecting
        self.came = 0
        self.ended = False
        self.started = False
        self.answered = False
        self.gone = False
        self.left: Callable[[], None] | None = None
        self._held: list[bytes] = []
        self._size = 0
        self._told = False
        self._chunked = False
        self._left = UNKNOWN
        self._news: asyncio.Future[None] | None = None

    # What the connection tells

    def feed(self, data: bytes) -> None:
        """Take a piece of the body, which is of no interest once the request is answered."""
        self.came += len(data)
        if not self.answered:
            self._held.append(data)
            self._size += len(data)
            self._tell()

    @property
    def full(self) -> bool:
        """Whether so much of the body waits to be taken that no more should be read."""
        return self._size > HELD_BYTES

    def end(self) -> None:
        self.ended = True
        self._tell()

    def leave(self) -> None:
        """Note that the client is not there any more."""
        self.gone = True
        self._tell()
        if self.left is not None and not self.answered:
            self.left()

    def when_left(self, call: Callable[[], None]) -> None:
        """Let the application hear at once, on the event loop, that the client has left."""
        self.left = call
        if self.gone:
            call()

    # The application's side

    async def receive(self) -> Event:
        """Return the next piece of the body, and after its end, when it comes, that the client has left."""
        while not (self.gone or self.answered):
            if self._held or (self.ended and not self._told):
                body, self._held, self._size = b"".join(self._held), [], 0
                self._told = self.ended
                self._connection.hear()
                return {"type": "http.request", "body": body, "more_body": not self._told}
            if self.expecting and not self.started:
                self.expecting = False
                self._connection.write(CONTINUE)
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """Take the next part of the answer; returns when the client has room for more.

        Raises:
            FramingError: it is not what comes next, or not what was announced.
        """
        if self.gone:
            return
        kind = event["type"]
        if kind == "http.response.body" and self.started and not self.answered:
            last = not event.get("more_body", False)
            self._say(event.get("body", b""), last=last)
            if not last:
                await self._connection.room()
        elif kind == "http.response.start" and not self.started:
            self._start(event["status"], event.get("headers", ()))
        else:
            raise FramingError(f"{kind} is not what comes next in an answer")

    def push(self, data: bytes) -> bool:
        """Write a piece of the answer at once; False, and nothing is written, where the client has no room for it now.

        What `send` writes costs an application a task of its own, and each piece that one's turn on the event loop; an
        application finds this as an extension of the scope.
        """
        if not self.started or self.answered or self.gone or self._connection.crowded:
            return False
        self._say(data, last=False)
        return True

    def _start(self, status: int, headers: Any) -> None:
        lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d\r\n" % status]
        for name, value in headers:
            if b"\n" in value or b"\r" in value or b"\0" in value:
                raise FramingError(f"the header {name!r} holds a line end")
            lower = name.lower()
            if lower == b"content-length":
                self._left = int(value)
            elif lower == b"connection":
                self.keep_alive = self.keep_alive and value.lower() != b"close"
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        self.started = True
        if status in BODILESS:
            self._left = 0
        elif self._left == UNKNOWN and self.scope["http_version"] == "1.1":
            self._chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        # What is still to come of the body may be long, and nobody wants it; and of an answer without a length the
        # connection's end is the end.
        if not self.ended or self._connection.leaving or not (self._chunked or self._left >= 0):
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"date: %b\r\n\r\n" % self._connection.date())
        self._connection.write(b"".join(lines))

    def _say(self, body: bytes, *, last: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += LAST_CHUNK if last else b""
        elif self._left != UNKNOWN:
            self._left -= len(body)
            if self._left < 0 or (last and self._left):
                raise FramingError("the answer's body is not as long as its content-length says")
        if body:
            self._connection.write(body)
        if last:
            self.answered = True
            self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
