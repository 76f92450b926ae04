"""The server: accepts connections on sockets that are open already, and drains them at the end."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from email.utils import formatdate
from socket import socket
from typing import Any

import anyio

from clawmesh.server.connection import Connection
from clawmesh.server.limits import Patience, Room
from clawmesh.server.request import Application, Scope
from clawmesh.wheel import Wheel

BACKLOG = 2048
HANDSHAKE_SECONDS = 10.0
PATIENCE, ROOM = Patience(), Room()


class Server:
    """Made by `open_server`."""

    def __init__(
        self, application: Application, patience: Patience, room: Room, wheel: Wheel, failed: Callable[[str], None]
    ) -> None:
        self.application = application
        self.patience = patience
        self.room = room
        self.wheel = wheel
        self.draining = False
        self._say = failed
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty: asyncio.Future[None] | None = None
        self._listeners: list[asyncio.Server] = []
        self._second = 0
        self._date = b""

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def listen(self, sockets: Sequence[socket], tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        handshake = HANDSHAKE_SECONDS if tls else None
        for each in sockets:
            self._listeners.append(
                await loop.create_server(
                    lambda: Connection(self),
                    sock=each,
                    backlog=BACKLOG,
                    ssl=tls,
                    ssl_handshake_timeout=handshake,
                )
            )

    async def drain(self, seconds: float) -> None:
        """Accept nothing more, and wait for what is being answered, for so many seconds at most; then cut it off."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in [*self._connections]:
            connection.rest()
        with anyio.move_on_after(seconds):
            await self.empty()
        for connection in [*self._connections]:
            connection.abort()

    async def empty(self) -> None:
        """Wait until nobody is connected."""
        while self._connections:
            if self._empty is None:
                self._empty = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._empty)

    async def stop(self) -> None:
        """Cut everything off and wait until nothing of it runs."""
        await self.drain(0)
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What connections need

    def admit(self, connection: Connection) -> bool:
        """Count a connection; False if there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.room.connections and not self.draining

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections and self._empty is not None:
            self._empty.set_result(None)
            self._empty = None

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def failed(self, scope: Scope, error: Exception) -> None:
        """Say that the application failed, which is a fault of ours."""
        self._say(f"{scope['method']} {scope['path']} failed: {type(error).__name__}: {error}")

    def date(self) -> bytes:
        """Return the value of a `Date` header (RFC 9110, 6.6.1), made once a second."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = formatdate(now, usegmt=True).encode("ascii")
        return self._date


@asynccontextmanager
async def open_server(
    application: Application,
    sockets: Sequence[socket],
    *,
    failed: Callable[[str], None],
    patience: Patience = PATIENCE,
    room: Room = ROOM,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Server]:
    """Serve an ASGI application on sockets that are bound; `failed` hears of requests that it could not answer.

    It has no lifespan events: what it needs is opened before.
    """
    wheel = Wheel(asyncio.get_running_loop().time)
    server = Server(application, patience, room, wheel, failed)
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wheel.run)
        try:
            await server.listen(sockets, tls)
            yield server
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
            failure = error
        finally:
            with anyio.CancelScope(shield=True):
                await server.stop()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
