"""One client's connection: parses what comes, lets the application answer, and cuts off whoever takes too long."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import httptools
import msgspec

from clawmesh.server.request import STATUS_LINES, Request
from clawmesh.wheel import NEVER

if TYPE_CHECKING:
    from clawmesh.server.server import Server


# Who is told that the connection ends may take so long to take note, in seconds; what is sent meanwhile is not read.
LINGER = 2.0
# Requests that may stand in line, however they came.
LINE = 64
# Bytes around the body, such as the sizes of its chunks, for each byte of it.
DRY = 8
# What a client that reads slowly has to take in `Patience.reading` seconds.
TAKEN = 64 * 1024


class Refusal(Exception):
    """What came is not answered by the application but with this status; then the connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection(asyncio.Protocol):
    """Answers one request after the other; `slot` belongs to the wheel, all else is private to the connection."""

    __slots__ = (
        "_closing",
        "_count",
        "_deaf",
        "_dry",
        "_fields",
        "_header_bytes",
        "_heard",
        "_line",
        "_now",
        "_parser",
        "_patience",
        "_paused",
        "_reading",
        "_request",
        "_room",
        "_room_asked",
        "_served",
        "_server",
        "_since",
        "_target",
        "_task",
        "_transport",
        "_unread",
        "slot",
    )

    _transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.slot = 0
        self._server = server
        self._patience = server.patience
        self._now = server.wheel.now
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._reading: Request | None = None  # whose body is being read
        self._request: Request | None = None  # that is being answered
        self._line: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._since = self._now()  # since when we wait for a header, or for the next request
        self._heard = self._since
        self._room_asked = 0.0
        self._paused = False
        self._served = False
        self._deaf = False
        self._count = 0
        self._dry = 0
        self._unread = 0
        self._closing = False

    # What requests need

    @property
    def leaving(self) -> bool:
        """Whether no request is to follow."""
        return self._server.draining

    def date(self) -> bytes:
        return self._server.date()

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._transport.write(data)

    @property
    def crowded(self) -> bool:
        """Whether the client does not read what there is for it."""
        return self._room is not None

    async def room(self) -> None:
        """Wait while the client does not read what there is for it."""
        if self._room is not None:
            await self._room

    def hear(self) -> None:
        """Read on, if there is room for more."""
        full = self._reading is not None and self._reading.full
        crowded = full or self._room is not None or len(self._line) >= self._server.room.pipelined
        if crowded != self._paused and not self._transport.is_closing():
            self._paused = crowded
            if crowded:
                self._transport.pause_reading()
            else:
                self._heard = self._now()
                self._transport.resume_reading()
                self._watch()

    # Deadlines

    def check(self, now: float) -> float:
        """Act on a deadline that has passed; see `clawmesh.wheel.Timed`."""
        if self._room is not None and self._took_some():
            self._room_asked = now
        if (due := self._due()) > now:
            return 0.0 if due == NEVER else due
        if self._closing or self._room is not None:
            self.abort()  # it takes nothing, so it would not take an error either
        elif self._reading is not None:
            self._refuse(408, "the request's body did not come in time")
        elif self._header_bytes:
            self._refuse(408, "the request's header did not come in time")
        else:
            self.abort()
        return 0.0

    def _took_some(self) -> bool:
        """Whether the client has read as much as can be asked of it since the last look."""
        size = self._transport.get_write_buffer_size()
        took = self._unread - size >= TAKEN
        if took:
            self._unread = size
        return took

    def _due(self) -> float:
        """Return when the client has taken too long, whatever it is that is waited for."""
        patience = self._patience
        if self._room is not None:
            return self._room_asked + patience.reading
        if self._closing:
            return self._since + LINGER
        if self._reading is not None:
            if self._paused:
                return NEVER
            pace = self._since + patience.body + self._reading.came / patience.pace
            return min(self._heard + patience.body, pace)
        if self._request is not None and not self._header_bytes:
            return NEVER
        return self._since + (patience.idle if self._served and not self._header_bytes else patience.header)

    def _watch(self) -> None:
        self._server.wheel.watch(self, self._due())

    # The socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        if self._server.admit(self):
            self._watch()
        else:
            self._say(503, "too many connections; try again later")
            self._closing = True
            self._transport.close()  # at once: what it would take to be polite is what is short

    def data_received(self, data: bytes) -> None:
        self._heard = self._now()
        if self._closing or self._deaf:
            return
        before, came = self._reading, self._reading.came if self._reading is not None else 0
        if before is None:
            if not self._header_bytes:
                self._since = self._heard
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if before is not None and before is self._reading:
                self._dry += len(data) - (before.came - came)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, Refusal):
                raise
            self._refuse(cause.status, str(cause))
        except httptools.HttpParserUpgrade:
            self._stay()
        except httptools.HttpParserError as error:
            self._refuse(400, f"this is no HTTP/1.1: {error}")
        else:
            bound = self._server.room.header_bytes
            if self._reading is None and self._header_bytes > bound:
                self._refuse(431, "the request's header is too large")
            elif self._reading is not None and self._dry > bound + DRY * self._reading.came:
                self._refuse(431, "there is more around the request's body than in it")
            else:
                self.hear()
                self._watch()

    def eof_received(self) -> bool:
        """Close: a client that has ended its side gets no answer."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._server.wheel.drop(self)
        self._server.lost(self)
        for request in (self._request, self._reading, *self._line):
            if request is not None:
                request.leave()
        self._line.clear()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        self._room_asked = self._now()
        self._unread = self._transport.get_write_buffer_size()
        self._watch()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if not self._closing:
            self.hear()

    # The parser's side

    def on_message_begin(self) -> None:
        self._target = b""
        self._fields = []
        self._count = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        if self._count > self._server.room.fields:
            raise Refusal(431, f"the request has more than {self._server.room.fields} header fields")
        if self._reading is None:  # trailers are read and dropped (RFC 9110, 6.5.1)
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        room = self._server.room
        length = 0
        expecting = False
        for name, value in self._fields:
            if name == b"content-length":
                length = int(value)  # the parser has let only digits through
            elif name == b"expect":
                expecting = value.lower() == b"100-continue"
        if len(self._target) + sum(len(name) + len(value) for name, value in self._fields) > room.header_bytes:
            raise Refusal(431, "the request's header is too large")
        if len(self._line) >= LINE:
            raise Refusal(400, f"more than {LINE} requests came before the first was answered")
        if length > room.body_bytes:
            raise Refusal(413, f"the request's body is larger than {room.body_bytes} bytes")
        scope = self._scope()
        keep_alive = self._parser.should_keep_alive() and not self.leaving
        request = Request(self, scope, keep_alive=keep_alive, expecting=expecting)
        scope["extensions"] = {
            "clawmesh.cut": self.abort,
            "clawmesh.left": request.when_left,
            "clawmesh.push": request.push,
        }
        self._reading = request
        self._since = self._heard
        self._header_bytes = self._dry = 0
        if self._request is None:
            self._begin(request)
        else:
            self._line.append(request)

    def on_body(self, data: bytes) -> None:
        request = self._reading
        assert request is not None  # a body follows a header
        request.feed(data)
        if request.came > self._server.room.body_bytes:
            raise Refusal(413, f"the request's body is larger than {self._server.room.body_bytes} bytes")

    def on_message_complete(self) -> None:
        request, self._reading = self._reading, None
        assert request is not None  # its header came before
        request.end()

    def _scope(self) -> dict[str, object]:
        path, _, query = self._target.partition(b"?")
        transport = self._transport
        secure = transport.get_extra_info("sslcontext") is not None
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": self._parser.get_http_version(),
            "method": self._parser.get_method().decode("ascii"),
            "scheme": "https" if secure else "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._fields,
            "client": _address(transport.get_extra_info("peername")),
            "server": _address(transport.get_extra_info("sockname")),
        }

    # Answers

    def _begin(self, request: Request) -> None:
        self._request = request
        self._task = self._server.start(self._answer(request))

    async def _answer(self, request: Request) -> None:
        try:
            await self._server.application(request.scope, request.receive, request.send)
        except Exception as error:  # noqa: BLE001 - whatever an application does wrong, the server goes on
            with suppress(OSError):  # that nobody hears of it is no reason not to answer
                self._server.failed(request.scope, error)
        if not request.answered and not request.gone:
            if request.started:
                self.abort()  # half an answer must not look like a whole one
            else:
                self._say(500, "the request could not be answered")
                self._close()
        await self.room()  # who does not read this answer gets no further one
        self._after(request)

    def _after(self, request: Request) -> None:
        """Go on to the next request, or close."""
        self._request = self._task = None
        if self._closing:
            return
        if not request.keep_alive or not request.ended:
            self._close()
            return
        self._served = True
        self._since = self._now()
        if self._line:
            self._begin(self._line.popleft())
        elif self.leaving:
            self._close()
            return
        self.hear()
        self._watch()

    def _refuse(self, status: int, message: str) -> None:
        """Say what is wrong with what is being read, and close; requests before it are answered first."""
        if self._closing:
            return
        if self._request is not None and self._reading is not self._request:
            self._stay()
            return
        if self._request is None or not self._request.started:
            self._say(status, message)
        self._close()

    def _stay(self) -> None:
        """Answer what has come, hear nothing more, and close."""
        self._deaf = True
        last = self._line[-1] if self._line else self._request
        if last is None:
            self._close()
        else:
            last.keep_alive = False

    def _say(self, status: int, message: str) -> None:
        body = msgspec.json.encode({"error": {"message": message, "type": "invalid_request", "code": status}})
        extra = b"retry-after: 1\r\n" if status == 503 else b""
        self.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n%b"
            % (STATUS_LINES[status], len(body), extra, body)
        )

    def _close(self) -> None:
        """End our side; a socket closed while bytes come in would take back what was just written (RFC 9112, 9.6)."""
        self._closing = True
        self._since = self._now()
        if self._request is not None:
            self._request.leave()
        if self._transport.can_write_eof():
            self._transport.write_eof()
            if self._paused:
                self._transport.resume_reading()
            self._watch()
        else:
            self._transport.close()

    def rest(self) -> None:
        """Close if no request is under way."""
        if self._request is None and self._reading is None:
            self._close()

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        self._closing = True
        self._transport.abort()


def _address(name: object) -> tuple[str, int] | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
