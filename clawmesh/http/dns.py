"""Host names to addresses."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from clawmesh.errors import ConnectError, ResourceError
from clawmesh.http.shortage import out_of_descriptors

Address: TypeAlias = tuple[str, int]
"""A literal IP address and a port: exactly what is connected to."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Returns the addresses of a host, best first; raises `ConnectError` or `EgressError`."""

TTL = 30.0
ENTRIES = 1024


class Resolver:
    """Ask the system, once for all who ask at the same time, and remember its answer for a while.

    getaddrinfo tells no TTL; half a minute follows a moved service soon enough and spares a lookup per connection.
    """

    def __init__(self, ttl: float = TTL) -> None:
        self._ttl = ttl
        self._answers: OrderedDict[Address, tuple[float, Sequence[Address]]] = OrderedDict()
        self._lookups: dict[Address, asyncio.Task[Sequence[Address]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        if literal(host):
            return [(host, port)]
        key, loop = (host, port), asyncio.get_running_loop()
        if (answer := self._answers.get(key)) and loop.time() < answer[0]:
            return answer[1]
        if (lookup := self._lookups.get(key)) is None:
            lookup = self._lookups[key] = loop.create_task(look_up(host, port))
            lookup.add_done_callback(lambda done: self._keep(key, done, loop.time() + self._ttl))
        return await asyncio.shield(lookup)  # others may wait for it too

    def close(self) -> None:
        """Stop waiting for answers."""
        for lookup in self._lookups.values():
            lookup.cancel()

    def _keep(self, key: Address, lookup: asyncio.Task[Sequence[Address]], until: float) -> None:
        del self._lookups[key]
        if lookup.cancelled() or lookup.exception() is not None:
            return
        self._answers[key] = (until, lookup.result())
        self._answers.move_to_end(key)
        while len(self._answers) > ENTRIES:
            self._answers.popitem(last=False)


async def look_up(host: str, port: int) -> Sequence[Address]:
    """Return what getaddrinfo says, in its order, which follows RFC 6724.

    Raises:
        ConnectError: there is no such name, or nobody to ask.
        ResourceError: there is no file descriptor to ask with.
    """
    try:
        # As bytes, because a str passes through the codec for international names, which is not loaded for ASCII.
        name = host.encode("ascii")
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        if shortage := out_of_descriptors():
            raise ResourceError(f"the name {host!r} cannot be resolved: {shortage.strerror}") from error
        raise ConnectError(f"the name {host!r} cannot be resolved: {error.strerror}") from error
    return list(dict.fromkeys((str(address[0]), port) for *_, address in found))


def literal(host: str) -> bool:
    """Return whether `host` is an IP address in its usual spelling."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host.partition("%")[0])
    except OSError:
        return False
    return True
