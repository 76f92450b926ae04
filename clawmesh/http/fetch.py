"""Gets what a URL shows, within a policy: the way tools read the web."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urljoin

import anyio
from msgspec import Struct
from msgspec.structs import replace

from clawmesh.errors import FramingError, TransportError, TransportTimeoutError
from clawmesh.http.egress import PRINTABLE, EgressPolicy
from clawmesh.http.headers import Headers
from clawmesh.http.limits import MIB, Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import Transport
from clawmesh.http.url import Location

REDIRECTS = frozenset({301, 302, 303, 307, 308})
HARMLESS = frozenset({"accept", "accept-language", "user-agent"})


class Reach(Struct, frozen=True):
    """How far one fetch may go: bytes of body kept, redirects followed, seconds in all."""

    body_bytes: int = MIB
    redirects: int = 5
    seconds: float = 30.0


class Page(Struct, frozen=True):
    """What was found, and at which URL in the end; `truncated` says that there was more."""

    url: str
    status: int
    headers: Headers
    body: bytes
    truncated: bool


REACH = Reach()


async def fetch(
    transport: Transport,
    policy: EgressPolicy,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    reach: Reach = REACH,
) -> Page:
    """Get `url` as far as `policy` allows, following redirects only to where it allows.

    Headers are sent to the first origin; another one gets those alone that cannot hold a secret.

    Raises:
        EgressError: the policy forbids the URL, one of the redirects, or an address behind either.
        TransportError: by type, as an exchange does.
    """
    guarded = transport.guarded(policy)
    until = anyio.current_time() + reach.seconds
    location, fields = policy.check(url), dict(headers or {})
    for _ in range(reach.redirects + 1):
        seconds = until - anyio.current_time()
        page = await get(guarded, location, fields, replace(reach, seconds=seconds))
        onward = page.headers.get("location")
        if page.status not in REDIRECTS or onward is None:
            return page
        # The bytes of a header are whatever the server sent; percent-encoded, they mean what it meant.
        following = policy.check(urljoin(str(location), quote(onward, safe=PRINTABLE + "%", encoding="latin-1")))
        if following.origin != location.origin:
            fields = {name: value for name, value in fields.items() if name.lower() in HARMLESS}
        location = following
    raise TransportError(f"{url!r} redirects more than {reach.redirects} times")


async def get(transport: Transport, location: Location, headers: Mapping[str, str], reach: Reach) -> Page:
    """Get one URL, without following it anywhere."""
    if reach.seconds <= 0:
        raise TransportTimeoutError("the redirects took too long", phase="total")
    keeper = Keeper(reach.body_bytes)
    deadlines = Deadlines(wait=reach.seconds, head=reach.seconds, silence=reach.seconds, total=reach.seconds)
    try:
        await transport.exchange(Target.of(location, method="GET", headers=headers), b"", keeper, deadlines)
    except EnoughError:
        return Page(str(location), keeper.status, keeper.headers, bytes(keeper.body), truncated=True)
    return Page(str(location), keeper.status, keeper.headers, bytes(keeper.body), truncated=False)


class EnoughError(Exception):
    """Ends an exchange whose body is larger than what is wanted of it."""


class Keeper:
    """Keeps the beginning of a response."""

    def __init__(self, limit: int) -> None:
        self.status = 0
        self.headers = Headers([])
        self.body = bytearray()
        self._limit = limit

    def head(self, status: int, headers: Headers) -> None:
        if headers.get("content-encoding", "identity") != "identity":
            raise FramingError("the server compressed its answer although it was asked not to")
        self.status, self.headers = status, headers

    def feed(self, data: bytes) -> None:
        room = self._limit - len(self.body)
        self.body += data[:room]
        if len(data) > room:
            raise EnoughError
