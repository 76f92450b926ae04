"""Which requests go through a proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from msgspec import Struct

from clawmesh.http.url import Origin


class Proxies(Struct, frozen=True):
    """The proxy for each scheme, or "", and the hosts that are reached without one.

    An exempt entry is a host, with all below it; a host with a port; an address; a network (10.0.0.0/8); or "*".
    This machine is never reached through a proxy.
    """

    http: str = ""
    https: str = ""
    exempt: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Proxies:
        """Read http_proxy, https_proxy, all_proxy and no_proxy, in small letters or capitals."""
        every = variable(environ, "all_proxy")
        return cls(
            http=variable(environ, "http_proxy") or every,
            https=variable(environ, "https_proxy") or every,
            exempt=tuple(entry for entry in variable(environ, "no_proxy").replace(",", " ").lower().split()),
        )

    def find(self, origin: Origin) -> str:
        """Return the URL of the proxy that leads to `origin`, or ""."""
        proxy = self.https if origin.scheme == "https" else self.http
        if not proxy or is_loopback(origin.host) or any(covers(entry, origin) for entry in self.exempt):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"


def variable(environ: Mapping[str, str], name: str) -> str:
    """Return a variable; HTTP_PROXY is not read under CGI, where it is a header that the client sent."""
    if value := environ.get(name, ""):
        return value
    return "" if name == "http_proxy" and "REQUEST_METHOD" in environ else environ.get(name.upper(), "")


def covers(entry: str, origin: Origin) -> bool:
    if entry == "*":
        return True
    if (address := parse_address(origin.host)) is not None:
        return entry in (f"{origin.host}:{origin.port}", f"[{origin.host}]:{origin.port}") or in_network(address, entry)
    name, _, port = entry.partition(":")
    if port and port != str(origin.port):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return origin.host == name or origin.host.endswith("." + name)


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def in_network(address: Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    address = parse_address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)
