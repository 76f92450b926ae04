"""One request to a route of the control plane: what it brings, and how its answer is said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qs

import msgspec

from clawmesh.api.fault import ApiError, answer, say
from clawmesh.api.token import Scope, Token
from clawmesh.errors import ClawmeshError
from clawmesh.server.request import Receive, Send
from clawmesh.server.request import Scope as Surroundings

T = TypeVar("T")


class Call:
    """What a handler is given; `token` is whose request it is."""

    def __init__(self, scope: Surroundings, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.token: Token = scope["state"]["token"]
        self._query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)

    def part(self, name: str) -> str:
        """Return a part of the path by its name in the route."""
        return str(self.scope["path_params"][name])

    def query(self, name: str, default: str = "") -> str:
        """Return a parameter of the query, the last if there are several."""
        found: list[str] = self._query.get(name, [default])
        return found[-1]

    def number(self, name: str, default: int, most: int) -> int:
        """Return a parameter of the query that is a number from 1 to `most`.

        Raises:
            ApiError: it is none.
        """
        text = self.query(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise ApiError(400, f"found {text!r}, expected a number from 1 to {most}", param=name)
        return int(text)

    def header(self, name: bytes) -> str:
        """Return a header's value, "" where there is none."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")

    async def body(self, type: type[T]) -> T:
        """Return the request's body as a value.

        Raises:
            ApiError: it is no JSON, or not of that form.
        """
        media = self.header(b"content-type").partition(";")[0].strip().lower()
        if media != "application/json":
            raise ApiError(415, f"found content-type {media or 'nothing'!r}, expected application/json")
        try:
            return msgspec.json.decode(await self.bytes(), type=type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(400, f"the body cannot be read: {error}") from error

    async def bytes(self) -> bytes:
        """Return the request's body.

        Raises:
            ApiError: the client has left before its end.
        """
        pieces: list[bytes] = []
        while True:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                raise ApiError(400, "the body ended before its end")
            pieces.append(event["body"])
            if not event["more_body"]:
                return b"".join(pieces)


Handle: TypeAlias = Callable[[Call], Awaitable[Any]]


class Endpoint:
    """An ASGI application which answers with what `handle` returns, as JSON, for tokens with the scope `needs`.

    Without one it is for every token.
    """

    def __init__(self, needs: Scope | None, handle: Handle) -> None:
        self._needs = needs
        self._handle = handle

    async def __call__(self, scope: Surroundings, receive: Receive, send: Send) -> None:
        try:
            if self._needs is not None:
                require(scope["state"]["token"], self._needs)
            value = await self._handle(Call(scope, receive))
        except ClawmeshError as error:
            await say(error, send)
        else:
            await answer(send, value)


def require(token: Token, needs: Scope) -> None:
    """Raise ApiError where a token has not the scope that is needed."""
    if not token.may(needs):
        raise ApiError(403, f'the token "{token.name}" has not the scope "{needs}"')
