"""One HTTP/1.1 connection: writes a request, pushes the response into a sink, and watches its own deadlines."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Sequence
from typing import cast

import httptools

from clawmesh.errors import ConnectionLostError, FramingError, OversizeError, TransportError
from clawmesh.http.exchange import Exchange
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Bounds
from clawmesh.http.url import Origin
from clawmesh.wheel import Wheel

MARGIN = 1.0  # seconds: the server counts its keep-alive time from the last byte sent, we from its arrival


class Connection(asyncio.Protocol):
    """Runs one exchange at a time; `slot` belongs to the wheel, all else is private to the connection.

    Whoever took it from the pool gives it back, whatever happened; `on_lost` tells the pool of one that ends idle.
    """

    __slots__ = (
        "_bounds",
        "_closed",
        "_exchange",
        "_gone",
        "_idle_until",
        "_keep",
        "_lost",
        "_made",
        "_now",
        "_on_lost",
        "_parser",
        "_persistent",
        "_room",
        "_transport",
        "_wheel",
        "origin",
        "slot",
        "uses",
    )

    _transport: asyncio.Transport

    def __init__(self, origin: Origin, bounds: Bounds, wheel: Wheel, on_lost: Callable[[Connection], None]) -> None:
        self.origin = origin
        self.slot = 0
        self.uses = 0
        self._bounds = bounds
        self._wheel = wheel
        self._now = wheel.now
        self._on_lost = on_lost
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._idle_until = 0.0
        self._keep = bounds.idle_seconds
        self._persistent = True
        self._closed = False
        self._gone = False
        self._made = False
        self._lost: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # The owner's side

    @property
    def reusable(self) -> bool:
        """Whether the last exchange ended so that another may follow."""
        return self._persistent and not self._closed and self._exchange is not None and self._exchange.complete

    @property
    def _closing(self) -> bool:
        return self._closed or self._transport.is_closing()

    def begin(self, request: bytes, exchange: Exchange) -> None:
        """Write a request; `exchange.done` ends with its response."""
        self._exchange = exchange
        self.uses += 1
        self._wheel.watch(self, exchange.due(exchange.started))
        if self._closing:
            self._fail(ConnectionLostError(f"{self.origin} closed the connection before it was used"))
        else:
            exchange.sent = True
            self._transport.write(request)

    async def write(self, data: bytes) -> None:
        """Write more of a request's body, waiting while the peer is slower than the caller."""
        if self._exchange is not None:
            self._exchange.started = self._now()  # the peer owes no answer before it has the request
        if not self._closed:
            self._transport.write(data)
        await asyncio.sleep(0)  # uvloop writes, and says that it has too much to write, when the loop turns
        if self._room is not None:
            await self._room

    def rest(self) -> None:
        """Turn idle, until used again or closed."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        if exchange.paused:
            self._transport.resume_reading()  # else the end of the connection would go unnoticed
        if self.uses == 1:
            self._keep = min(self._keep, promised(exchange.fields) - MARGIN)
        self._idle_until = self._now() + self._keep
        self._wheel.watch(self, self._idle_until)

    def usable(self) -> bool:
        """Return whether an idle connection is still open, asking the socket: its end may not have been read yet."""
        if self._closing or self._now() >= self._idle_until:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def pause(self) -> None:
        """Stop reading: the sink's owner has enough for now. No silence counts meanwhile."""
        if self._exchange is not None and not self._closing:
            self._exchange.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._exchange is not None and not self._closing:
            self._exchange.paused = False
            self._exchange.heard = self._now()
            self._transport.resume_reading()
            self._wheel.watch(self, self._exchange.due(self._now()))

    def abort(self) -> None:
        """Close at once, without waiting for anything still to be written."""
        self._closed = True
        if self._made:
            self._transport.abort()

    async def closed(self) -> None:
        """Wait until the socket is closed."""
        if not self._gone:
            self._lost = asyncio.get_running_loop().create_future()
            await self._lost

    def check(self, now: float) -> float:
        """Enforce the deadline of the exchange, or of being idle."""
        exchange = self._exchange
        if self._closed or (exchange is not None and exchange.complete):
            return 0.0
        if exchange is None:
            if now < self._idle_until:
                return self._idle_until
            self.abort()
            return 0.0
        if error := exchange.overdue(now):
            self._fail(error)
            return 0.0
        return exchange.due(now)

    # The socket's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._made = True

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()  # nobody asked: whatever it is, the next response could not be trusted
            return
        exchange.heard = self._now()
        exchange.received += len(data)
        exchange.steady = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._stop(exchange, error)
            return
        if not exchange.steady or exchange.received > self._bounds.body_bytes:
            self._look(exchange, len(data))

    def eof_received(self) -> None:
        self._end(None)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self._gone = True
        self._wheel.drop(self)
        self._on_lost(self)
        if self._lost is not None:
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._room is not None:
            if not self._room.done():
                self._room.set_result(None)
            self._room = None

    # The parser's side

    def on_message_begin(self) -> None:
        if self._exchange is None or self._exchange.complete:
            raise FramingError("more bytes than the response has")

    def on_header(self, name: bytes, value: bytes) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.headed:  # trailers are read and dropped (RFC 9110, 6.5.1)
            exchange.fields.append((name, value))

    def on_headers_complete(self) -> None:
        exchange, status = self._exchange, self._parser.get_status_code()
        assert exchange is not None
        if status < 200:
            if status == 101:
                raise FramingError(f"{self.origin} switched to a protocol that was not asked for")
            exchange.fields.clear()
            return
        if exchange.received > self._bounds.header_bytes and size(exchange.fields) > self._bounds.header_bytes:
            raise OversizeError(f"{self.origin} sent a header larger than {self._bounds.header_bytes} bytes")
        exchange.headed = True
        exchange.sink.head(status, Headers(exchange.fields))
        if exchange.bodyless:
            exchange.complete = True
            raise FramingError("a response to HEAD ends with its header, whatever that says (RFC 9110, 9.3.2)")

    def on_body(self, data: bytes) -> None:
        exchange = self._exchange
        exchange.steady = True  # type: ignore[union-attr]
        exchange.sink.feed(data)  # type: ignore[union-attr]

    def on_message_complete(self) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.headed:
            exchange.complete = True
            exchange.steady = False
            self._persistent = self._parser.should_keep_alive()

    # Endings

    def _look(self, exchange: Exchange, size: int) -> None:
        """Find out why a read was more than a piece of the body."""
        bounds = self._bounds
        if exchange.complete:
            self._finish(exchange)
            self.resume_writing()  # who still sends the request need not wait for a peer that has said all
        elif not exchange.headed:
            if exchange.received > bounds.header_bytes:
                self._fail(OversizeError(f"{self.origin} sent a header larger than {bounds.header_bytes} bytes"))
        elif exchange.received > bounds.body_bytes:
            self._fail(OversizeError(f"{self.origin} sent a body larger than {bounds.body_bytes} bytes"))
        elif not exchange.steady:
            exchange.dry += size
            if exchange.dry > bounds.header_bytes:
                self._fail(OversizeError(f"{self.origin} sent more than {bounds.header_bytes} bytes around its body"))

    def _stop(self, exchange: Exchange, error: Exception) -> None:
        """Take what ended the parsing: bytes after the end, a peer that errs, or a sink that refuses."""
        self._persistent = False
        cause = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else None
        if exchange.complete:
            self._finish(exchange)
        elif cause is None:
            self._fail(FramingError(f"{self.origin} does not speak HTTP/1.1: {error}"), error)
        else:
            self._fail(cause)

    def _end(self, cause: Exception | None) -> None:
        exchange, closed = self._exchange, self._closed
        self._closed = True
        self.resume_writing()
        if exchange is None or exchange.done.done():
            return
        if exchange.headed and cause is None and not closed and until_close(exchange.fields):
            exchange.complete = True
            self._finish(exchange)
        elif closed:
            self._fail(TransportError("the transport was closed during the exchange"))
        elif exchange.received:
            done = "its body" if exchange.headed else "its header"
            self._fail(ConnectionLostError(f"{self.origin} closed the connection before the end of {done}"), cause)
        else:
            self._fail(ConnectionLostError(f"{self.origin} closed the connection without an answer"), cause)

    def _finish(self, exchange: Exchange) -> None:
        if not exchange.done.done():
            exchange.done.set_result(None)

    def _fail(self, error: BaseException, cause: BaseException | None = None) -> None:
        assert self._exchange is not None
        if cause is not None:
            error.__cause__ = cause
        if isinstance(error, StopIteration):  # no future takes one
            error, error.__cause__ = RuntimeError("the sink raised StopIteration"), error
        if not self._exchange.done.done():
            self._exchange.done.set_exception(error)
        self.abort()


def size(fields: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in fields)


def until_close(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether the body ends where the connection does (RFC 9112, 6.3, rules 4 and 8)."""
    framing = {name.lower(): value for name, value in fields}
    if coding := framing.get(b"transfer-encoding"):
        return not coding.lower().rstrip().endswith(b"chunked")
    return b"content-length" not in framing


def promised(fields: Sequence[tuple[bytes, bytes]]) -> float:
    """Return for how many seconds the server keeps an idle connection: `Keep-Alive: timeout=5` (RFC 2068, 19.7.1.1)."""
    for name, value in fields:
        if len(name) == 10 and name.lower() == b"keep-alive":
            for part in value.split(b","):
                key, _, seconds = part.strip().partition(b"=")
                if key.lower() == b"timeout" and seconds.isdigit():
                    return float(seconds[:9])
    return float("inf")
