"""The guard at the door: who asks, from where, and whether they may."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import anyio
from msgspec import Struct

from clawmesh.api.fault import ApiError, say
from clawmesh.api.token import PREFIX, Token, Tokens
from clawmesh.clock import Clock
from clawmesh.errors import ClawmeshError, StorageError
from clawmesh.server.request import Application, Event, Receive, Scope, Send
from clawmesh.web import POLICY

# After so many wrong tokens from one address within the window, more are not looked at; in seconds.
GUESSES, WINDOW = 30, 60.0
ADDRESSES = 10_000
# How often open answers are held against what was revoked meanwhile, in seconds.
SWEEP = 0.5

SECURITY = (
    (b"content-security-policy", POLICY.encode("ascii")),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
STORED = (b"cache-control", b"no-store")
TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000")
TOKEN = re.compile(rb"%b[A-Za-z0-9_-]{43}" % PREFIX.encode())
UNAUTHORISED = "a valid token is needed: Authorization: Bearer ..."


class Name(Struct, frozen=True):
    """A host as a client names it, and the port, "" where it says none."""

    host: str
    port: str

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Read `host`, `host:port` or `[address]:port` (RFC 9110, 7.2); None where it is none of these."""
        if text.startswith("["):
            host, closed, rest = text[1:].partition("]")
            if not closed or (rest and not rest.startswith(":")):
                return None
            port = rest[1:]
        else:
            host, _, port = text.partition(":")
        if not host or (port and not (port.isascii() and port.isdigit())):
            return None
        return cls(host.lower().rstrip("."), port)


class Guard:
    """Stands before an application, and puts the token of each request into `scope["state"]["token"]`.

    `hosts` are the names by which this server may be called; a page from elsewhere that a browser is tricked into
    sending here calls it by another. Requests whose path `is_open` accepts need no token.
    """

    def __init__(
        self,
        application: Application,
        tokens: Tokens,
        clock: Clock,
        hosts: Collection[str],
        is_open: Callable[[str], bool],
    ) -> None:
        self._application = application
        self._tokens = tokens
        self._clock = clock
        self._hosts = frozenset(hosts)
        self._is_open = is_open
        self._guesses: OrderedDict[str, Guesses] = OrderedDict()
        # By the token, since ten thousand streams of one are one question.
        self._answering: dict[Token, dict[int, Callable[[], None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = _secured(send, scope["scheme"] == "https")
        try:
            self._check_place(scope)
            if self._is_open(scope["path"]):
                scope["state"] = {"token": None}
                await self._application(scope, receive, guarded)
                return
            token = self._token(scope)
        except StorageError:
            # Where the tokens lie, and what is wrong with them, is for those who have one.
            await say(ApiError(503, "the tokens cannot be read"), guarded)
            return
        except ClawmeshError as error:
            await say(error, guarded)
            return
        scope["state"] = {"token": token}
        with self._watched(token, scope):
            await self._application(scope, receive, guarded)

    async def sweep(self) -> None:
        """Again and again, cut off the answers to those whose token is none any more."""
        while True:
            await anyio.sleep(SWEEP)
            now = self._clock.now()
            for token, cuts in [*self._answering.items()]:
                if not self._valid(token, now):
                    for cut in [*cuts.values()]:
                        cut()

    def _valid(self, token: Token, now: float) -> bool:
        try:
            return self._tokens.valid(token, now)
        except StorageError:
            return False  # what cannot be looked up is not let go on

    def _check_place(self, scope: Scope) -> None:
        """Refuse what was meant for another server, or comes from a page of one."""
        if not scope["raw_path"].startswith(b"/"):
            raise ApiError(421, "the request's target is no path of this server")
        named = [value for name, value in scope["headers"] if name == b"host"]
        name = Name.parse(named[0].decode("latin-1")) if len(named) == 1 else None
        if name is None or name.host not in self._hosts:
            raise ApiError(421, "this server is not called that: name it in [api] hosts if it is")
        for header, value in scope["headers"]:
            own = f"{scope['scheme']}://".encode() + named[0]
            if header == b"origin" and value.lower() != own.lower():
                raise ApiError(403, "pages from elsewhere may not use this server")
        if TOKEN.search(scope["query_string"]):
            raise ApiError(400, "a token in a URL is in every log: send it as a header, and revoke this one")

    def _token(self, scope: Scope) -> Token:
        """Return the token that a request brings.

        Raises:
            ApiError: it brings none that is valid, or too many came from there that were not.
            StorageError: the tokens cannot be read.
        """
        now = self._clock.now()
        brought = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(brought) == 1:
            scheme, _, secret = brought[0].partition(b" ")
            if scheme.lower() == b"bearer":
                token = self._tokens.find(secret.strip().decode("latin-1"), now)
                if token is not None:
                    return token
        client = scope["client"][0] if scope["client"] else ""
        if brought and self._suspicious(client, now):
            raise ApiError(429, "too many wrong tokens came from there: wait a minute")
        raise ApiError(401, UNAUTHORISED)

    def _suspicious(self, client: str, now: float) -> bool:
        """Note a wrong token; True if too many came from this client lately."""
        guesses = self._guesses.get(client)
        if guesses is None or now - guesses.since > WINDOW:
            guesses = self._guesses[client] = Guesses(now)
            self._guesses.move_to_end(client)
            if len(self._guesses) > ADDRESSES:
                self._guesses.popitem(last=False)
        guesses.count += 1
        return guesses.count > GUESSES

    @contextmanager
    def _watched(self, token: Token, scope: Scope) -> Iterator[None]:
        cuts = self._answering.setdefault(token, {})
        cuts[id(scope)] = scope["extensions"]["clawmesh.cut"]
        try:
            yield
        finally:
            del cuts[id(scope)]
            if not cuts:
                del self._answering[token]


class Guesses:
    """How many wrong tokens came from one client, and since when."""

    __slots__ = ("count", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0


def _secured(send: Send, secure: bool) -> Send:
    """Return what adds to every answer the headers by which browsers protect it."""

    async def secured(event: Event) -> None:
        if event["type"] == "http.response.start":
            headers = [*event.get("headers", ())]
            names = {name for name, _ in headers}
            headers += [header for header in SECURITY if header[0] not in names]
            if b"cache-control" not in names:
                headers.append(STORED)
            if event["status"] == 401:
                headers.append((b"www-authenticate", b"Bearer"))
            if secure:
                headers.append(TRANSPORT_SECURITY)
            event = {**event, "headers": headers}
        await send(event)

    return secured
