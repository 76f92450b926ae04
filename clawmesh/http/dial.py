"""Makes connections: name, addresses, TCP, TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import anyio

from clawmesh.errors import ConnectError, ResourceError, TransportError, TransportTimeoutError
from clawmesh.http.connection import Connection
from clawmesh.http.dns import Address, Resolve
from clawmesh.http.shortage import SHORTAGE
from clawmesh.http.tls import TLS, Channel
from clawmesh.http.url import Origin

STAGGER = 0.25
ADDRESSES = 8


class Dialer:
    """Opens a connection to the first address of a host that answers."""

    def __init__(self, resolve: Resolve, tls: TLS) -> None:
        self._resolve = resolve
        self._tls = tls

    async def dial(self, origin: Origin, make: Callable[[], Connection], seconds: float) -> Connection:
        """Return an open connection.

        Raises:
            ConnectError: no address answered, or the peer's certificate is not valid.
            ResourceError: no file descriptor or port is left.
            TransportTimeoutError: it took longer than `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):  # half the price of anyio's, and paid for every connection
                addresses = (await self._resolve(origin.host, origin.port))[:ADDRESSES]
                if len(addresses) == 1:
                    return await self._open(origin, addresses[0], make)
                return await self._race(origin, addresses, make)
        except TimeoutError as error:
            raise TransportTimeoutError(f"no connection to {origin} within {seconds:g} s", phase="connect") from error

    async def _race(self, origin: Origin, addresses: Sequence[Address], make: Callable[[], Connection]) -> Connection:
        """Try address after address, the next when one fails or is slow; the first to answer wins (RFC 8305)."""
        winners: list[Connection] = []
        errors: list[TransportError] = []

        async def attempt(address: Address, failed: anyio.Event) -> None:
            try:
                connection = await self._open(origin, address, make)
            except TransportError as error:
                errors.append(error)
                failed.set()
                return
            if winners:
                connection.abort()
                return
            winners.append(connection)
            group.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as group:
                for address in addresses:
                    failed = anyio.Event()
                    group.start_soon(attempt, address, failed)
                    with anyio.move_on_after(STAGGER):
                        await failed.wait()
        except BaseException:
            for connection in winners:
                connection.abort()
            raise
        if winners:
            return winners[0]
        raise worst(errors, origin)

    async def _open(self, origin: Origin, address: Address, make: Callable[[], Connection]) -> Connection:
        connection = make()
        protocol: asyncio.Protocol = connection
        if origin.scheme == "https":
            protocol = Channel(self._tls.context, origin.host, connection)
        transport = None
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, *address)
            if isinstance(protocol, Channel):
                await protocol.handshake()
        except OSError as error:
            raise translate(error, origin, address) from error
        except BaseException:
            if transport is not None:
                transport.abort()
            raise
        return connection


def translate(error: OSError, origin: Origin, address: Address) -> TransportError:
    if error.errno in SHORTAGE:
        return ResourceError(f"no connection to {origin}: {error.strerror}")
    return ConnectError(f"no connection to {origin} at {address[0]}: {error.strerror or error}")


def worst(errors: Sequence[TransportError], origin: Origin) -> TransportError:
    """Return the one error that says most: a shortage here, else the first address's."""
    if not errors:
        return ConnectError(f"the name {origin.host!r} has no address")
    shortage = next((error for error in errors if isinstance(error, ResourceError)), None)
    return shortage or errors[0]
