"""The HTTP client: one request out, its response pushed into a sink."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from clawmesh.errors import ConnectionLostError, TransportTimeoutError
from clawmesh.http.bypass import Bypass
from clawmesh.http.connection import Connection
from clawmesh.http.dial import Dialer
from clawmesh.http.dns import Resolve, Resolver
from clawmesh.http.egress import EgressPolicy, Guard
from clawmesh.http.exchange import Exchange, Sink
from clawmesh.http.limits import Bounds, Deadlines
from clawmesh.http.pool import Pool
from clawmesh.http.proxy import Proxies
from clawmesh.http.target import BODYLESS, Target
from clawmesh.http.tls import TLS, Identity
from clawmesh.http.url import Origin
from clawmesh.wheel import NEVER, Wheel

if TYPE_CHECKING:
    from clawmesh.http.detour import Detour

DEADLINES, BOUNDS, SYSTEM, DIRECT = Deadlines(), Bounds(), Identity(), Proxies()


class Transport:
    """Sends requests over pooled HTTP/1.1 connections. Made by `open_transport`, used from any number of tasks."""

    def __init__(
        self, make: Callable[[Resolve], Pool], resolve: Resolve, bypass: Bypass | None, now: Callable[[], float]
    ) -> None:
        self._make = make
        self._resolve = resolve
        self._pool = make(resolve)
        self._bypass = bypass
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._others: dict[Guard, Transport] = {}

    @property
    def connections(self) -> int:
        """Return how many connections there are, used, idle and in the making."""
        return self._pool.open + sum(other.connections for other in self._others.values())

    def guarded(self, policy: EgressPolicy) -> Transport:
        """Return a transport that reaches only what `policy` admits; it is closed with this one.

        Its connections are its own, because one that was made unguarded may lead anywhere; and it uses no proxy,
        because a proxy would resolve names unchecked.
        """
        guard = Guard(policy, self._resolve)
        if guard not in self._others:
            self._others[guard] = Transport(self._make, guard, None, self._now)
        return self._others[guard]

    async def exchange(
        self,
        target: Target,
        body: bytes,
        sink: Sink,
        deadlines: Deadlines = DEADLINES,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Send one request and push its response into `sink`; returns when the response is complete.

        A request is sent again only if the server cannot have accepted it. Cancelling closes the connection.

        Raises:
            TransportError: by type; a status of 400 or 500 is no error here.
            Exception: whatever `sink` raised.
        """
        if self._bypass is not None and (detour := self._bypass.find(target.origin)):
            await detour.exchange(target, body, sink, deadlines, headers)
            return
        request = target.request(body, headers)
        until = NEVER if deadlines.total is None else self._now() + deadlines.total
        connection = self._pool.take(target.origin) or await self.connect(target.origin, deadlines, until)
        exchange = self.prepare(sink, deadlines, until)
        exchange.bodyless = target.method == "HEAD"
        try:
            connection.begin(request, exchange)
            await exchange.done
        except ConnectionLostError:
            if not repeatable(target.method, exchange, connection):
                raise
        else:
            return
        finally:
            self._pool.release(connection)
        await self._repeat(target, request, exchange)

    def prepare(self, sink: Sink, deadlines: Deadlines, until: float) -> Exchange:
        """Return an exchange that has not begun."""
        return Exchange(sink, deadlines, self._loop.create_future(), self._now(), until)

    def detour(self, origin: Origin) -> Detour | None:
        """Return the way to `origin` through its proxy, if it has one."""
        return None if self._bypass is None else self._bypass.find(origin)

    def take(self, origin: Origin) -> Connection | None:
        """Return an idle connection, if there is one, which the caller must `release`."""
        return self._pool.take(origin)

    async def connect(self, origin: Origin, deadlines: Deadlines, until: float) -> Connection:
        """Return a connection, which the caller must `release`."""
        left = until - self._now()
        try:
            return await self._pool.open_new(origin, min(deadlines.wait, left), min(deadlines.connect, left))
        except TransportTimeoutError as error:
            if self._now() < until:
                raise
            raise TransportTimeoutError(f"{error}, which ends the time for all", phase="total") from error

    def release(self, connection: Connection) -> None:
        """Give back a connection, whatever became of its exchange."""
        self._pool.release(connection)

    async def _repeat(self, target: Target, request: bytes, lost: Exchange) -> None:
        """Send a request once more, on a connection that nobody used before."""
        connection = await self.connect(target.origin, lost.deadlines, lost.until)
        exchange = self.prepare(lost.sink, lost.deadlines, lost.until)
        exchange.bodyless = lost.bodyless
        try:
            connection.begin(request, exchange)
            await exchange.done
        finally:
            self._pool.release(connection)


def repeatable(method: str, exchange: Exchange, connection: Connection) -> bool:
    """Return whether a lost request may be sent again.

    It may if none of it was sent; or if it asks for no effect and went over a connection that the server may have
    closed before it arrived (RFC 9110, 9.2.1; RFC 9112, 9.3.1). A POST that was sent never is.
    """
    if not exchange.sent:
        return True
    return method in BODYLESS and connection.uses > 1 and not exchange.received


@asynccontextmanager
async def open_transport(
    *,
    bounds: Bounds = BOUNDS,
    identity: Identity = SYSTEM,
    resolve: Resolve | None = None,
    proxies: Proxies = DIRECT,
) -> AsyncIterator[Transport]:
    """Open an HTTP client; closing it closes every connection and ends every exchange with an error.

    `resolve` turns host names into addresses, to exactly which it connects; by default the system does. Where there
    is a proxy, names are the proxy's to resolve.
    """
    wheel = Wheel(asyncio.get_running_loop().time)
    resolver = Resolver()
    tls = TLS(identity)
    pools: list[Pool] = []

    def make(resolve: Resolve) -> Pool:
        pools.append(Pool(Dialer(resolve, tls), wheel, bounds))
        return pools[-1]

    bypass = Bypass(proxies, tls, bounds) if proxies != DIRECT else None
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(wheel.run)
        try:
            yield Transport(make, resolve or resolver, bypass, wheel.now)
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
            failure = error
        finally:
            resolver.close()
            with anyio.CancelScope(shield=True):
                for pool in pools:
                    await pool.aclose()
                if bypass is not None:
                    await bypass.aclose()
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
