"""Where requests on behalf of a model may go: nothing on this machine or in a private network, by whatever spelling."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from clawmesh.errors import EgressError, URLError
from clawmesh.http.dns import Address, Resolve
from clawmesh.http.url import Location

IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# IANA IPv4 Special-Purpose Address Registry, and multicast (RFC 5771): none of it is a host on the internet.
SPECIAL = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)

# Only 2000::/3 is in use for hosts (RFC 4291, 2.4); within it are these, by the IANA IPv6 Special-Purpose registry.
UNICAST = ipaddress.IPv6Network("2000::/3")
SPECIAL6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))

# IPv6 addresses that stand for an IPv4 address, and where in them it lies: mapped, NAT64 (RFC 6052), 6to4 (RFC 3056).
EMBEDDED = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)

SPLIT = re.compile(r"([^:/?#]+://)([^/?#\\@]*?)(:[0-9]*)?([/?#].*)?", re.DOTALL)
PRINTABLE = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"
NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class EgressPolicy(Struct, frozen=True):
    """What may be reached.

    `private` admits addresses that are not on the public internet; `networks` admits some of them ("10.2.0.0/16").
    `allow` and `deny` are globs of host names; an empty `allow` or `ports` means any.
    """

    private: bool = False
    networks: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ("http", "https")
    ports: tuple[int, ...] = (80, 443)

    def check(self, url: str) -> Location:
        """Read a URL as it will be requested: host in ASCII and small letters, IPv4 address in its usual spelling.

        Raises:
            URLError: it is no URL of http or https.
            EgressError: the policy forbids it.
        """
        location = Location.parse(to_ascii(url))
        host = canonical(location.origin.host)
        origin = location.origin._replace(host=host)
        if origin.scheme not in self.schemes:
            raise EgressError(f"{origin} is refused: only {', '.join(self.schemes)} may be used")
        if self.ports and origin.port not in self.ports:
            raise EgressError(f"{origin} is refused: only the ports {', '.join(map(str, self.ports))} may be used")
        if any(fnmatchcase(host, glob.lower()) for glob in self.deny):
            raise EgressError(f"{origin} is refused: the host is denied")
        if self.allow and not any(fnmatchcase(host, glob.lower()) for glob in self.allow):
            raise EgressError(f"{origin} is refused: the host is none of those allowed")
        if not self.private and (host == "localhost" or host.endswith(".localhost")):
            raise EgressError(f"{origin} is refused: it is this machine")
        if (address := parse(host)) is not None:
            self.admit(host, address)
        return replace(location, origin=origin)

    def admit(self, host: str, address: IP) -> None:
        """Check an address that `host` stands for.

        Raises:
            EgressError: it is not on the public internet, and the policy wants it to be.
        """
        if self.private or is_public(address):
            return
        if not any(address in ipaddress.ip_network(network) for network in self.networks):
            raise EgressError(f"{host} is refused: {address} is not on the public internet")


class Guard(Struct, frozen=True):
    """A resolver that refuses a name unless every one of its addresses is admitted.

    As the connection goes to the very addresses checked, a name that changes its answers gains nothing.
    """

    policy: EgressPolicy
    resolve: Resolve

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        addresses = await self.resolve(host, port)
        for text, _ in addresses:
            address = parse(text)
            if address is None:
                raise EgressError(f"{host} is refused: {text!r} is no address")
            self.policy.admit(host, address)
        return addresses


def parse(text: str) -> IP | None:
    """Return the address; a zone (fe80::1%eth0) is no part of it."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_public(address: IP) -> bool:
    """Return whether packets to `address` can only end at a host on the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in SPECIAL)
    for network, shift in EMBEDDED:
        if address in network:
            return is_public(ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF))
    return address in UNICAST and not any(address in network for network in SPECIAL6)


def canonical(host: str) -> str:
    """Spell an IPv4 address as four decimal numbers, whichever of the forms that inet_aton reads it came in.

    Raises:
        EgressError: the last label is a number, so that some would read an address, but it is none.
    """
    if ":" in host or not NUMERIC.fullmatch(host):
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        raise EgressError(f"{host} is refused: it is neither a name nor an address") from None


def to_ascii(url: str) -> str:
    """Write the host of a URL in ASCII (UTS 46) and percent-encode what follows.

    Raises:
        URLError: the host cannot be written so.
    """
    if url.isascii():
        return url
    import idna  # noqa: PLC0415 - start-up time: its tables are large, and few URLs need them

    match = SPLIT.fullmatch(url)
    if match is None:
        raise URLError(f"{url!r} is no URL of http or https")
    scheme, host, port, rest = match.groups("")
    try:
        host = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise URLError(f"{url!r} has no valid host: {error}") from error
    return f"{scheme}{host}{port}{quote(rest, safe=PRINTABLE)}"
