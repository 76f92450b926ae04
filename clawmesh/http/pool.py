"""Connections by origin: idle ones are used again, all are counted, and those who wait are served in order."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from clawmesh.errors import TransportError, TransportTimeoutError
from clawmesh.http.connection import Connection
from clawmesh.http.dial import Dialer
from clawmesh.http.limits import Bounds
from clawmesh.http.url import Origin
from clawmesh.wheel import Wheel


class Waiter:
    """One who waits for a connection; ends with a connection, or with None: the right to open one."""

    __slots__ = ("_due", "_seconds", "granted", "slot", "ticket")

    def __init__(self, ticket: int, now: float, seconds: float) -> None:
        self.slot = 0
        self.ticket = ticket
        self.granted: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._seconds = seconds
        self._due = now + seconds

    def check(self, now: float) -> float:
        if self.granted.done():
            return 0.0
        if now < self._due:
            return self._due
        self.granted.set_exception(
            TransportTimeoutError(f"no connection became free within {self._seconds:g} s", phase="wait")
        )
        return 0.0


class Shelf:
    """The connections of one origin: how many there are or are being made, which are idle, and who waits for one."""

    __slots__ = ("dialling", "idle", "open", "waiters")

    def __init__(self) -> None:
        self.open = 0
        self.dialling = 0
        self.idle: OrderedDict[Connection, None] = OrderedDict()  # the last used is used next, the first is the oldest
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()

    def first(self) -> Waiter | None:
        """Return the first in line who still waits."""
        while self.waiters:
            waiter = next(iter(self.waiters))
            if not waiter.granted.done():
                return waiter
            del self.waiters[waiter]
        return None


class Pool:
    """Owns every connection of a transport.

    What `take` and `open_new` return is the caller's until it calls `release`.
    """

    def __init__(self, dialer: Dialer, wheel: Wheel, bounds: Bounds) -> None:
        self._dialer = dialer
        self._wheel = wheel
        self._bounds = bounds
        self._shelves: dict[Origin, Shelf] = {}
        self._waiting: dict[Origin, Shelf] = {}
        self._tickets = 0
        self._connections: set[Connection] = set()
        self._open = 0
        self._closed = False

    @property
    def open(self) -> int:
        """Return how many connections exist or are being made."""
        return self._open

    def take(self, origin: Origin) -> Connection | None:
        """Return an idle connection, if there is one that is still open."""
        shelf = self._shelves.get(origin)
        while shelf is not None and shelf.idle:
            connection, _ = shelf.idle.popitem()
            if connection.usable():
                return connection
            self._discard(connection)
        return None

    async def open_new(self, origin: Origin, wait: float, connect: float) -> Connection:
        """Return a connection that nobody used before, or one that someone else has just finished with.

        Waits, first come first served, while all that the bounds allow are in use; `wait` and `connect` are in seconds.

        Raises:
            TransportError: by type: no connection became free, or none could be made.
        """
        if self._closed:
            raise TransportError("the transport is closed")
        given = None if self._reserve(origin) else await self._wait(origin, wait)
        if given is not None:
            if given.usable():
                return given
            self._connections.discard(given)
            given.abort()
            self._shelves[origin].dialling += 1
        return await self._dial(origin, connect)

    def release(self, connection: Connection) -> None:
        """Give a connection back; one whose exchange is not complete, or was the last, is closed."""
        if connection.reusable and not self._closed:
            connection.rest()
            self._offer(connection)
        else:
            self._discard(connection)

    async def aclose(self) -> None:
        """Close every connection, fail every waiter, and wait until the sockets are closed."""
        self._closed = True
        for shelf in self._shelves.values():
            for waiter in shelf.waiters:
                if not waiter.granted.done():
                    waiter.granted.set_exception(TransportError("the transport was closed"))
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        for connection in connections:
            await connection.closed()

    async def _dial(self, origin: Origin, seconds: float) -> Connection:
        """Make the connection that has been counted already."""
        shelf = self._shelves[origin]
        try:
            connection = await self._dialer.dial(origin, lambda: self._make(origin), seconds)
        except BaseException:
            shelf.dialling -= 1
            self._vacate(origin)
            raise
        shelf.dialling -= 1
        self._connections.add(connection)
        if self._closed:
            self._discard(connection)
            raise TransportError("the transport was closed")
        self._serve()
        return connection

    def _make(self, origin: Origin) -> Connection:
        return Connection(origin, self._bounds, self._wheel, self._lost)

    def _reserve(self, origin: Origin) -> bool:
        """Count one more connection, closing an idle one of another origin if that makes the room."""
        shelf = self._shelves.setdefault(origin, Shelf())
        if shelf.waiters or not self._may_dial(shelf):
            return False
        while self._open >= self._bounds.connections:
            if not self._evict():
                return False
        self._count(shelf)
        return True

    def _may_dial(self, shelf: Shelf) -> bool:
        return shelf.open < self._bounds.per_origin and shelf.dialling < self._bounds.dials

    def _count(self, shelf: Shelf) -> None:
        shelf.open += 1
        shelf.dialling += 1
        self._open += 1

    def _evict(self) -> bool:
        """Close the longest idle connection of some origin."""
        for shelf in self._shelves.values():
            if shelf.idle:
                connection, _ = shelf.idle.popitem(last=False)
                self._discard(connection)
                return True
        return False

    async def _wait(self, origin: Origin, seconds: float) -> Connection | None:
        self._tickets += 1
        waiter = Waiter(self._tickets, self._wheel.now(), seconds)
        shelf = self._waiting[origin] = self._shelves[origin]
        shelf.waiters[waiter] = None
        self._wheel.watch(waiter, self._wheel.now() + seconds)
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            granted = waiter.granted
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self._return(origin, granted.result())  # it was granted in the moment of the cancellation
            raise
        finally:
            self._wheel.drop(waiter)
            shelf.waiters.pop(waiter, None)
            self._tidy(origin)

    def _return(self, origin: Origin, given: Connection | None) -> None:
        if given is None:
            self._shelves[origin].dialling -= 1
            self._vacate(origin)
        else:
            self._offer(given)

    def _offer(self, connection: Connection) -> None:
        """Pass an idle connection to the next in line, or keep it.

        It is closed when another origin needs its place, and no one here has waited longer.
        """
        shelf = self._shelves[connection.origin]
        mine, other = shelf.first(), None
        if self._open >= self._bounds.connections:
            other = self._next()
        if other is not None and (mine is None or other[1].ticket < mine.ticket):
            self._discard(connection)
        elif mine is not None:
            mine.granted.set_result(connection)
        else:
            shelf.idle[connection] = None

    def _discard(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.abort()
        self._vacate(connection.origin)

    def _vacate(self, origin: Origin) -> None:
        """Count one connection less, and let the next in line open one in its place."""
        self._shelves[origin].open -= 1
        self._open -= 1
        self._tidy(origin)
        self._serve()

    def _serve(self) -> None:
        """Let those who wait longest make connections, as many as the bounds allow."""
        while self._waiting and self._open < self._bounds.connections and (following := self._next()):
            shelf, waiter = following
            self._count(shelf)
            waiter.granted.set_result(None)

    def _next(self) -> tuple[Shelf, Waiter] | None:
        """Return who has waited longest of all whose origin may have another connection."""
        line = [
            (shelf, waiter) for shelf in self._waiting.values() if self._may_dial(shelf) and (waiter := shelf.first())
        ]
        return min(line, key=lambda entry: entry[1].ticket, default=None)

    def _tidy(self, origin: Origin) -> None:
        shelf = self._shelves.get(origin)
        if shelf is not None and not shelf.waiters:
            self._waiting.pop(origin, None)
            if not shelf.open:
                del self._shelves[origin]

    def _lost(self, connection: Connection) -> None:
        """Take note of a connection that ended while idle; one in use is given back by its user."""
        shelf = self._shelves.get(connection.origin)
        if shelf is not None and connection in shelf.idle:
            del shelf.idle[connection]
            self._discard(connection)
