"""Finds the way through a proxy, and loads what it takes when the first request goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawmesh.http.limits import Bounds
from clawmesh.http.proxy import Proxies
from clawmesh.http.tls import TLS
from clawmesh.http.url import Origin

if TYPE_CHECKING:
    from clawmesh.http.detour import Detour


class Bypass:
    """Owns the detours of a transport, one for each proxy."""

    def __init__(self, proxies: Proxies, tls: TLS, bounds: Bounds) -> None:
        self._proxies = proxies
        self._tls = tls
        self._bounds = bounds
        self._detours: dict[str, Detour] = {}

    def find(self, origin: Origin) -> Detour | None:
        """Return the way to `origin`, or None if it leads through no proxy."""
        proxy = self._proxies.find(origin)
        if not proxy:
            return None
        if proxy not in self._detours:
            # Start-up time: httpx takes longer to load than all else here, and most need no proxy.
            from clawmesh.http.detour import Detour  # noqa: PLC0415

            self._detours[proxy] = Detour(proxy, self._tls, self._bounds)
        return self._detours[proxy]

    async def aclose(self) -> None:
        """Close every connection to a proxy."""
        for detour in self._detours.values():
            await detour.aclose()
