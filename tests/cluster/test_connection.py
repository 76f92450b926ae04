"""One connection, and who is at its other end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from clawmesh.cluster.connection import Connection
from clawmesh.cluster.frame import Frame, Hello, Leave, Parser, Ping, Pong, Reply, pack
from clawmesh.errors import JointError
from clawmesh.version import VERSION

pytestmark = pytest.mark.anyio


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.open: asyncio.Future[Connection] = loop.create_future()
        self.room = asyncio.Event()
        self.end: asyncio.Future[JointError] = loop.create_future()

    def opened(self, connection: Connection) -> None:
        self.open.set_result(connection)

    def received(self, connection: Connection, frame: Frame) -> None:
        self.frames.put_nowait(frame)

    def resumed(self, connection: Connection) -> None:
        self.room.set()

    def lost(self, connection: Connection, error: JointError) -> None:
        self.end.set_result(error)


class Stranger:
    """The other end of a connection, byte by byte."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._frames: list[Frame] = []
        self._parser = Parser(self._frames.append)

    async def say(self, *data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, b"".join(data))

    async def hear(self, kind: type[Frame]) -> Frame:
        """Return the next frame of that kind."""
        while True:
            while self._frames:
                if isinstance(frame := self._frames.pop(0), kind):
                    return frame
            self._parser.feed(await self._loop.sock_recv(self._sock, 65536))


@asynccontextmanager
async def connected(tick: float = 30.0) -> AsyncIterator[tuple[Listener, Stranger]]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with theirs:
        listener = Listener()
        make: Callable[[], Connection] = lambda: Connection(listener, tick=tick)  # noqa: E731
        _, connection = await asyncio.get_running_loop().create_unix_connection(make, sock=ours)
        yield listener, Stranger(theirs)
        connection.abort(JointError("the test is over"))
        await listener.end


async def test_both_say_hello() -> None:
    async with connected() as (listener, stranger):
        assert await stranger.hear(Hello) == Hello()
        await stranger.say(pack(Hello()), pack(Leave(1)))
        connection = await listener.open
        assert await listener.frames.get() == Leave(1)
        connection.send(Leave(2))
        connection.close()
        assert await stranger.hear(Leave) == Leave(2)


async def test_another_version_is_named() -> None:
    async with connected() as (listener, stranger):
        await stranger.say(pack(Hello(protocol=99, version="9.9")))
        reason = str(await listener.end)
    assert "the other process is ClawMesh 9.9 (protocol 99)" in reason
    assert f"this one is {VERSION}" in reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "found a frame of 1195725856 bytes"),
        (b"\x00\x00\x00\x03abc", "found a frame that is none"),
        (pack(Leave(1)), "found Leave, expected Hello first"),
        (pack(Hello()) + b"\x00\x00\x00\x01\xc1", "found a frame that is none"),
        (len(msgspec.msgpack.encode([0])).to_bytes(4, "big") + msgspec.msgpack.encode([0, "one"]), "found a frame"),
    ],
)
async def test_garbage_ends_the_connection(data: bytes, reason: str) -> None:
    async with connected() as (listener, stranger):
        await stranger.say(data)
        assert reason in str(await listener.end)


async def test_who_says_nothing_is_cut_off() -> None:
    async with connected(tick=0.01) as (listener, _):
        assert str(await listener.end) == "the other process says nothing"


async def test_who_falls_silent_is_asked_then_cut_off() -> None:
    async with connected(tick=0.05) as (listener, stranger):
        await stranger.say(pack(Hello()))
        for _ in range(5):
            await stranger.hear(Ping)
            await stranger.say(pack(Pong()))
        assert not listener.end.done()
        assert str(await listener.end) == "the other process says nothing"


async def test_a_ping_is_answered() -> None:
    async with connected() as (_, stranger):
        await stranger.say(pack(Hello()), pack(Ping()))
        await stranger.hear(Pong)


async def test_who_does_not_read_makes_us_wait_and_is_cut_off_in_the_end() -> None:
    async with connected() as (listener, stranger):
        await stranger.say(pack(Hello()))
        connection = await listener.open
        megabyte = Reply(1, b"\x00" * 1024 * 1024)
        for _ in range(8):
            connection.send(megabyte)
            await asyncio.sleep(0)
        assert connection.crowded
        for _ in range(8):
            await stranger.hear(Reply)
        await listener.room.wait()
        assert not connection.crowded
        for _ in range(80):
            connection.send(megabyte)
            await asyncio.sleep(0)
        assert "bytes unread" in str(await listener.end)


async def test_what_is_sent_into_an_ended_connection_goes_nowhere() -> None:
    async with connected() as (listener, stranger):
        await stranger.say(pack(Hello()))
        connection = await listener.open
        connection.close()
        connection.send(Leave(1))
        assert str(await listener.end) == "the connection was closed"
