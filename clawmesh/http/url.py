"""URLs, read strictly and once: what is checked is what is connected to."""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from clawmesh.errors import URLError

PORTS = {"http": 80, "https": 443}

PRINTABLE = re.compile(r"[!-\[\]-~]+")  # ASCII without space, control characters and backslash
SHAPE = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(#.*)?"
)
AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")


class Origin(NamedTuple):
    """Where a connection leads; connections to one origin are interchangeable (RFC 9110, 4.3.1)."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return the host as the Host header and a URL write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Location(Struct, frozen=True):
    """An http or https URL: its origin and the path with its query."""

    origin: Origin
    path: str

    @classmethod
    def parse(cls, url: str) -> Location:
        """Read an absolute URL (RFC 3986), without user information, with a host and, if there is a colon, a port.

        Raises:
            URLError: the URL is anything else.
        """
        if not PRINTABLE.fullmatch(url):
            raise URLError(f"{url!r} holds a space, a backslash or a character outside ASCII: percent-encode it")
        shape = SHAPE.fullmatch(url)
        if shape is None:
            raise URLError(f"{url!r} is no absolute URL: expected https://host/path")
        scheme = shape["scheme"].lower()
        if scheme not in PORTS:
            raise URLError(f"{url!r} has the scheme {scheme!r}: expected http or https")
        host, port = split_authority(shape["authority"], url)
        return cls(Origin(scheme, host, port or PORTS[scheme]), (shape["path"] or "/") + (shape["query"] or ""))

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"


def split_authority(authority: str, url: str) -> tuple[str, int | None]:
    """Return host and port; a final dot, which only marks a name as absolute, is taken off."""
    if "@" in authority:
        raise URLError("a URL may hold no user name or password: send them in a header")
    match = AUTHORITY.fullmatch(authority)
    if match is None:
        raise URLError(f"{url!r} has no valid host and port: found {authority!r}")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise URLError(f"{url!r} has the port {port}: expected 1 to 65535")
    host = (match["six"] or match["name"]).lower().removesuffix(".")
    if not host or host.startswith(".") or ".." in host:
        raise URLError(f"{url!r} has no valid host: found {authority!r}")
    return host, port
