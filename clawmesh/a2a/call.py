"""One request to this door: what it brings, and how its answer is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from clawmesh.a2a.fault import INVALID_REQUEST, VERSION_NOT_SUPPORTED, A2aError
from clawmesh.a2a.mesh import Holder
from clawmesh.a2a.values import VERSION
from clawmesh.server.request import Receive, Scope, Send

HEADER, PARAMETER = b"a2a-version", "A2A-Version"
# What one who names no version speaks (section 3.6.2).
UNNAMED = "0.3"


class Call:
    """What a binding is given; `holder` is whose request it is, as the guard before this door has found."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        self.holder: Holder = scope["state"]["token"]

    def part(self, name: str) -> str:
        """Return a part of the path by its name in the route, "" where the route has none."""
        return str(self.scope["path_params"].get(name, ""))

    def header(self, name: bytes) -> str:
        """Return a header's value, "" where there is none."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")

    @property
    def base(self) -> str:
        """The server's address as this client calls it; the guard has checked the name."""
        return f"{self.scope['scheme']}://{self.header(b'host')}"

    def require_version(self) -> None:
        """Raise A2aError where the client speaks a version that this server does not (section 3.6)."""
        query = dict(parse_qsl(self.scope["query_string"].decode("latin-1")))
        named = self.header(HEADER).strip() or query.get(PARAMETER, "") or UNNAMED
        if ".".join(named.split(".")[:2]) != VERSION:
            message = f"version {named} of A2A is not spoken here, only {VERSION}: say so in the header A2A-Version"
            raise A2aError(VERSION_NOT_SUPPORTED, message, facts={"supportedVersions": VERSION})

    async def body(self) -> bytes:
        """Return the request's body, which the server has bounded.

        Raises:
            A2aError: the client has left before its end.
        """
        pieces: list[bytes] = []
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise A2aError(INVALID_REQUEST, "the body ended before its end")
            pieces.append(event["body"])
            if not event["more_body"]:
                return b"".join(pieces)


def media_type(call: Call) -> str:
    """Return the type of a request's body without its parameters."""
    return call.header(b"content-type").partition(";")[0].strip().lower()


async def answer(
    send: Send, value: Any, *, media: bytes, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Answer a request with a value as JSON."""
    body = msgspec.json.encode(value)
    length = (b"content-length", b"%d" % len(body))
    head = [(b"content-type", media), length, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
