"""What a request asks for, prepared once and sent many times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from clawmesh.errors import URLError
from clawmesh.http.url import Location, Origin

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")  # RFC 9110, 5.5
FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"te", b"trailer"})
BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})


class Target(Struct, frozen=True):
    """A method, a URL and the headers that are the same for every request, as the bytes that open the request."""

    origin: Origin
    method: str
    path: str
    fields: tuple[tuple[bytes, bytes], ...]
    head: bytes

    def __repr__(self) -> str:
        return f"Target({self.method} {self.url})"  # the headers hold keys

    @classmethod
    def parse(cls, url: str, *, method: str = "POST", headers: Mapping[str, str] | None = None) -> Target:
        """Prepare requests to `url`; `accept` and `accept-encoding: identity` are added unless given.

        Raises:
            URLError: the URL is not one of http or https, or the method or a header cannot be sent.
        """
        return cls.of(Location.parse(url), method=method, headers=headers)

    @classmethod
    def of(cls, location: Location, *, method: str, headers: Mapping[str, str] | None = None) -> Target:
        """Prepare requests to a URL that has been read.

        Raises:
            URLError: the method or a header cannot be sent.
        """
        if not TOKEN.fullmatch(method.encode("utf-8")):
            raise URLError(f"{method!r} is no HTTP method")
        fields = {"accept": "*/*", "accept-encoding": "identity"}
        fields |= {name.lower(): value for name, value in (headers or {}).items()}
        pairs = tuple((name.encode("utf-8"), encode_value(name, value)) for name, value in fields.items())
        line = f"{method} {location.path} HTTP/1.1\r\nHost: {location.origin.authority}\r\n"
        head = line.encode("ascii") + write_fields(without_framing(pairs))
        return cls(location.origin, method, location.path, pairs, head)

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}"

    def request(self, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        """Return the whole request, framed by Content-Length (RFC 9112, 6.2)."""
        fields = write_fields(without_framing(headers)) if headers else b""
        if body or self.method not in BODYLESS:
            return b"%b%bContent-Length: %d\r\n\r\n%b" % (self.head, fields, len(body), body)
        return b"%b%b\r\n" % (self.head, fields)


def encode_value(name: str, value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise URLError(f"the header {name!r} holds a character that HTTP cannot carry") from error


def without_framing(pairs: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """Return `pairs`, none of which may say where the request goes or how long it is."""
    for name, _ in pairs:
        if name.lower() in FRAMING:
            raise URLError(f"{name.decode('latin-1')!r} cannot be set as a header")
    return pairs


def write_fields(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write header fields; their values are named in no error, because they may be secret.

    Raises:
        URLError: a name or value is none that a header can have.
    """
    for name, value in pairs:
        if not TOKEN.fullmatch(name):
            raise URLError(f"{name.decode('latin-1')!r} cannot be set as a header")
        if not VALUE.fullmatch(value):
            raise URLError(f"the header {name.decode('latin-1')!r} holds a control character")
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs)
