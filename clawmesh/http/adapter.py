"""The transport as httpx knows transports, so that plugins write `httpx` and share our connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from clawmesh.errors import (
    ConnectionLostError,
    FramingError,
    OversizeError,
    TransportError,
    TransportTimeoutError,
    URLError,
)
from clawmesh.http.connection import Connection
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Deadlines
from clawmesh.http.target import BODYLESS, write_fields
from clawmesh.http.transport import Transport, repeatable
from clawmesh.http.url import PORTS, Origin
from clawmesh.wheel import NEVER

HIGH, LOW = 256 * 1024, 64 * 1024

TIMEOUTS = {"wait": httpx2.PoolTimeout, "connect": httpx2.ConnectTimeout}


class Adapter(httpx2.AsyncBaseTransport):
    """Serves an `httpx.AsyncClient` from a transport, which stays open when the client is closed.

    Bodies stream both ways: a reader who is slower than the peer makes the peer wait.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the connection is free again when the response is read to its end, or closed.

        Raises:
            httpx2.TransportError: by type, as httpx's own transport does.
        """
        with translated():
            origin = origin_of(request.url)
            detour = self._transport.detour(origin)
            if detour is None:
                return await self._send(origin, request)
        return await detour.handle_async_request(request)

    async def aclose(self) -> None:
        """Leave the transport open: it is not the client's."""

    async def _send(self, origin: Origin, request: httpx2.Request) -> httpx2.Response:
        deadlines = deadlines_of(request)
        connection = self._transport.take(origin)
        if connection is not None:
            incoming = Incoming(self._transport, connection, deadlines)
            try:
                return await self._run(incoming, request)
            except ConnectionLostError:
                if not (request.method in BODYLESS and repeatable(request.method, incoming.exchange, connection)):
                    raise
        connection = await self._transport.connect(origin, deadlines, NEVER)
        return await self._run(Incoming(self._transport, connection, deadlines), request)

    async def _run(self, incoming: Incoming, request: httpx2.Request) -> httpx2.Response:
        incoming.exchange.bodyless = request.method == "HEAD"
        try:
            await incoming.send(request)
            status, headers = await incoming.headed()
        except BaseException:
            await incoming.aclose()
            raise
        fields = [(name, value.strip(b" \t")) for name, value in headers.raw]
        extensions = {"http_version": b"HTTP/1.1"}
        return httpx2.Response(status, headers=fields, stream=incoming, extensions=extensions)


class Incoming(httpx2.AsyncByteStream):
    """A response under way: the sink of its exchange on one side, the stream that a reader pulls on the other."""

    def __init__(self, transport: Transport, connection: Connection, deadlines: Deadlines) -> None:
        self.exchange = transport.prepare(self, deadlines, NEVER)
        self._transport = transport
        self._connection: Connection | None = connection
        self._head: tuple[int, Headers] | None = None
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._news: asyncio.Event = asyncio.Event()

    # The exchange's side

    def head(self, status: int, headers: Headers) -> None:
        self._head = status, headers
        self._news.set()

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held > HIGH and not self.exchange.paused and self._connection is not None:
            self._connection.pause()
        self._news.set()

    # The client's side

    async def send(self, request: httpx2.Request) -> None:
        """Write the request, its body as it comes."""
        connection, stream = self._connection, request.stream
        assert connection is not None
        assert isinstance(stream, httpx2.AsyncByteStream)
        head = write_request(request)
        if isinstance(stream, httpx2.ByteStream):
            connection.begin(head + b"".join([piece async for piece in stream]), self.exchange)
        else:
            connection.begin(head, self.exchange)
            await self._upload(connection, stream, "transfer-encoding" in request.headers)
        self.exchange.done.add_done_callback(self._finish)

    async def headed(self) -> tuple[int, Headers]:
        """Wait for the response's status and header."""
        while self._head is None:
            await self._listen()
        return self._head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with translated():
            while True:
                while self._pieces:
                    yield self._take()
                if self.exchange.done.done():
                    self.exchange.done.result()
                    return
                await self._listen()

    async def aclose(self) -> None:
        """Give the connection back; it is closed if there was more to read."""
        self._release()
        if not self.exchange.done.cancel() and not self.exchange.done.cancelled():
            self.exchange.done.exception()  # seen: who closes a response early is not interested

    def _take(self) -> bytes:
        piece = self._pieces.popleft()
        self._held -= len(piece)
        if self._held < LOW and self.exchange.paused and self._connection is not None:
            self._connection.resume()
        return piece

    async def _listen(self) -> None:
        """Wait for news, or raise what ended the exchange."""
        if self.exchange.done.done():
            self.exchange.done.result()
        self._news.clear()
        await self._news.wait()

    async def _upload(self, connection: Connection, stream: httpx2.AsyncByteStream, chunked: bool) -> None:
        async for piece in stream:
            if self.exchange.done.done():
                connection.abort()  # answered before the request was whole: no other may follow it
                return
            if piece:
                await connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            await connection.write(b"0\r\n\r\n")

    def _finish(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled():
            self._release()
        self._news.set()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.release(connection)


def origin_of(url: httpx2.URL) -> Origin:
    """Return where a request goes.

    Raises:
        URLError: the URL is not one of http or https, or has no host.
    """
    if url.scheme not in PORTS or not url.raw_host:
        raise URLError(f"{str(url)!r} is no URL of http or https")
    return Origin(url.scheme, url.raw_host.decode("ascii"), url.port or PORTS[url.scheme])


def deadlines_of(request: httpx2.Request) -> Deadlines:
    """Return the client's timeouts; None means that it waits for ever."""
    given = request.extensions.get("timeout", {})
    wait, connect, read = (NEVER if given.get(key) is None else given[key] for key in ("pool", "connect", "read"))
    return Deadlines(wait=wait, connect=connect, head=read, silence=read)


def write_request(request: httpx2.Request) -> bytes:
    """Return the request line and header as they are sent."""
    line = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)
    return line + write_fields(request.headers.raw) + b"\r\n"


@contextmanager
def translated() -> Iterator[None]:
    """Turn our errors into those of httpx."""
    try:
        yield
    except TransportTimeoutError as error:
        raise TIMEOUTS.get(error.phase, httpx2.ReadTimeout)(str(error)) from error
    except ConnectionLostError as error:
        raise httpx2.ReadError(str(error)) from error
    except (FramingError, OversizeError) as error:
        raise httpx2.RemoteProtocolError(str(error)) from error
    except URLError as error:
        raise httpx2.UnsupportedProtocol(str(error)) from error
    except TransportError as error:
        raise httpx2.ConnectError(str(error)) from error


def open_client(transport: Transport, **options: Any) -> httpx2.AsyncClient:
    """Return an `httpx.AsyncClient` over `transport`; `options` are httpx's own."""
    return httpx2.AsyncClient(transport=Adapter(transport), trust_env=False, **options)
