"""A server on loopback that plays a script, byte by byte, and a sink that remembers."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener, TLSStream

from clawmesh.http.headers import Headers

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Recorder:
    """Keeps what a response brings; `seen` waits for so many bytes of its body."""

    def __init__(self) -> None:
        self.status = 0
        self.headers = Headers([])
        self.body = b""
        self.pieces: list[bytes] = []
        self.heads = 0
        self.connections = 0
        self._grown = anyio.Event()

    def head(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, headers
        self.heads += 1

    def feed(self, data: bytes) -> None:
        self.pieces.append(data)
        self.body += data
        self._grown.set()

    async def seen(self, size: int) -> None:
        while len(self.body) < size:
            self._grown = anyio.Event()
            await self._grown.wait()


class Talk:
    """The server's side of one connection."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def request(self) -> bytes:
        """Return the next request, header and body."""
        head = await self._reader.receive_until(b"\r\n\r\n", 1_000_000)
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        return head + b"\r\n\r\n" + (await self._reader.receive_exactly(length) if length else b"")

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            await self._stream.send(piece)

    async def answer(self, *pieces: bytes) -> bytes:
        """Take a request, send `pieces`, and return the request."""
        request = await self.request()
        await self.send(*pieces)
        return request

    async def until(self, mark: bytes) -> bytes:
        """Return what comes, up to and with `mark`."""
        return await self._reader.receive_until(mark, 1_000_000) + mark

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                await self._reader.receive()

    async def say_goodbye(self) -> None:
        """End TLS as it should end, with close_notify."""
        assert isinstance(self._stream, TLSStream)
        with suppress(anyio.EndOfStream):  # the client owes no goodbye of its own (RFC 8446, 6.1)
            await self._stream.unwrap()

    async def close(self) -> None:
        await self._stream.aclose()

    async def half_close(self) -> None:
        """Say that nothing more will be sent."""
        await self._stream.send_eof()

    def reset(self) -> None:
        """Make the end of the connection a reset."""
        raw = self._stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Script = Callable[[Talk], Awaitable[None]]


@dataclass
class Peer:
    """Where the server is, and how many connections it has had."""

    port: int
    scheme: str = "http"
    host: str = "127.0.0.1"
    talks: list[Talk] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@asynccontextmanager
async def serve(script: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """Run `script` for every connection, and close it when the script ends or the client leaves."""
    listener = await anyio.create_tcp_listener(local_host=host)
    peer = Peer(listener.extra(SocketAttribute.local_port), "https" if context else "http", host)

    async def handle(stream: ByteStream) -> None:
        talk = Talk(stream)
        peer.talks.append(talk)
        async with stream:
            with suppress(anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                await script(talk)

    failure: Exception | None = None
    async with listener, anyio.create_task_group() as group:
        if context is None:
            group.start_soon(listener.serve, handle)
        else:
            group.start_soon(TLSListener(listener, context, standard_compatible=False).serve, handle)
        try:
            yield peer
        except Exception as error:  # noqa: BLE001 - raised again outside of the group, which would wrap it
            failure = error
        finally:
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


def plays(*pieces: bytes) -> Script:
    """Return a script that answers one request with `pieces` and closes."""

    async def script(talk: Talk) -> None:
        await talk.answer(*pieces)

    return script


def repeats(*pieces: bytes) -> Script:
    """Return a script that answers every request with `pieces`, on one connection."""

    async def script(talk: Talk) -> None:
        while True:
            await talk.answer(*pieces)

    return script
