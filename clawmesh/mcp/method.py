"""What a client may ask: the methods of all revisions, and what each answers.

Sources: MCP 2026-07-28, "Discovery", "Caching" and "Key Changes"; MCP 2025-11-25, "Lifecycle" and "Logging".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Raw, Struct

from clawmesh.mcp.fault import FORBIDDEN, INVALID_PARAMS, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND, AbsentError, RpcError
from clawmesh.mcp.frame import Request
from clawmesh.mcp.mesh import Mesh, Right, Token
from clawmesh.mcp.resource import TEMPLATE, Resources
from clawmesh.mcp.revision import LEGACY, SERVER_INFO, SUPPORTED
from clawmesh.mcp.tool import Tools
from clawmesh.version import VERSION

SERVER = {"name": "clawmesh", "title": "ClawMesh", "version": VERSION}
INSTRUCTIONS = (
    "Each tool is an agent: call it with a message. Its answer names a session; call it with that session again to go "
    "on with the conversation. Conversations are resources, too."
)
MINUTE = 60_000


class Listing(Struct, frozen=True):
    """Which page of a list is asked for."""

    cursor: str | None = None


class Calling(Struct, frozen=True):
    """Which tool is called, and with what."""

    name: str
    arguments: Raw = Raw(b"{}")


class Reading(Struct, frozen=True):
    """Which resource is read."""

    uri: str


class Beginning(Struct, frozen=True, rename="camel"):
    """The revision that a client would like best."""

    protocol_version: str


class Level(Struct, frozen=True):
    """From which level on a client wants to hear of events (RFC 5424, section 6.2.1)."""

    level: Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


class Reference(Struct, frozen=True):
    """What is being filled in."""

    type: str
    uri: str = ""


class Argument(Struct, frozen=True):
    """The variable, and what there is of its value."""

    name: str
    value: str


class Context(Struct, frozen=True):
    """The variables that have a value already."""

    arguments: Mapping[str, str] = {}


class Completing(Struct, frozen=True):
    """What is to be completed."""

    ref: Reference
    argument: Argument
    context: Context = Context()


Answer: TypeAlias = Callable[[Token, Request], Awaitable[dict[str, Any]]]


class Method(Struct, frozen=True):
    """What answers a method, and what a token needs for it; `fresh` is for how many milliseconds that is good."""

    answer: Answer
    needs: Right | None = None
    fresh: int | None = None


class Methods:
    """The methods of one mesh, but for those that are answered piece by piece."""

    def __init__(self, mesh: Mesh) -> None:
        self.tools = Tools(mesh)
        self._resources = Resources(mesh)
        shared = {
            "tools/list": Method(self._tools, fresh=MINUTE),
            "resources/list": Method(self._list, "read", 0),
            "resources/templates/list": Method(self._templates, "read", MINUTE),
            "resources/read": Method(self._read, "read", 0),
            "completion/complete": Method(self._complete, "read"),
        }
        self._modern = {**shared, "server/discover": Method(self._discover, fresh=MINUTE)}
        self._legacy = {
            **shared,
            "initialize": Method(self._initialize),
            "ping": Method(self._nothing),
            "logging/setLevel": Method(self._level),
        }

    async def answer(self, token: Token, request: Request, *, modern: bool) -> dict[str, Any]:
        """Return the result of a request.

        Raises:
            RpcError: there is no such method, it is not for this token, or what it asks for is not there.
            ClawmeshError: the mesh failed.
        """
        method = (self._modern if modern else self._legacy).get(request.method)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, "there is no such method", {"method": request.method[:100]})
        require(token, method.needs)
        try:
            result = await method.answer(token, request)
        except AbsentError as error:
            code = INVALID_PARAMS if modern else RESOURCE_NOT_FOUND
            raise RpcError(code, str(error), {"uri": error.uri}) from error
        return complete(result, method.fresh) if modern else result

    async def _initialize(self, token: Token, request: Request) -> dict[str, Any]:
        wanted = request.read(Beginning).protocol_version
        return {
            "protocolVersion": wanted if wanted in LEGACY else LEGACY[0],
            "capabilities": capabilities(token, modern=False),
            "serverInfo": SERVER,
            "instructions": INSTRUCTIONS,
        }

    async def _discover(self, token: Token, request: Request) -> dict[str, Any]:
        return {
            "supportedVersions": SUPPORTED,
            "capabilities": capabilities(token, modern=True),
            "instructions": INSTRUCTIONS,
        }

    async def _nothing(self, token: Token, request: Request) -> dict[str, Any]:
        return {}

    async def _level(self, token: Token, request: Request) -> dict[str, Any]:
        """Take note of a level; there are no events besides those that progress tells of."""
        request.read(Level)
        return {}

    async def _tools(self, token: Token, request: Request) -> dict[str, Any]:
        return self.tools.list(token, request.read(Listing).cursor)

    async def _list(self, token: Token, request: Request) -> dict[str, Any]:
        return await self._resources.list(token, request.read(Listing).cursor)

    async def _templates(self, token: Token, request: Request) -> dict[str, Any]:
        return self._resources.templates()

    async def _read(self, token: Token, request: Request) -> dict[str, Any]:
        return await self._resources.read(token, request.read(Reading).uri)

    async def _complete(self, token: Token, request: Request) -> dict[str, Any]:
        wanted = request.read(Completing)
        if wanted.ref.type != "ref/resource" or wanted.ref.uri != TEMPLATE:
            raise RpcError(INVALID_PARAMS, f"what can be completed is {TEMPLATE}")
        argument = wanted.argument
        return await self._resources.complete(token, argument.name, argument.value, wanted.context.arguments)


def require(token: Token, needs: Right | None) -> None:
    """Raise RpcError where a token has not the scope that is needed."""
    if needs is not None and not token.may(needs):
        raise RpcError(FORBIDDEN, f'the token "{token.name}" has not the scope "{needs}"', {"scope": needs})


def capabilities(token: Token, *, modern: bool) -> dict[str, Any]:
    """Return what there is for a token; of changes it hears in a subscription, which is new since 2026-07-28."""
    tools = {"listChanged": True} if modern else {}
    return {"tools": tools, **({"resources": {}, "completions": {}} if token.may("read") else {})}


def complete(result: dict[str, Any], fresh: int | None = None) -> dict[str, Any]:
    """Return a result as those since 2026-07-28 are: it says that it is one, by whom, and for how long it is good.

    Nothing is for everybody: what there is depends on the token.
    """
    hints = {} if fresh is None else {"ttlMs": fresh, "cacheScope": "private"}
    return {"resultType": "complete", **result, **hints, "_meta": {SERVER_INFO: SERVER, **result.get("_meta", {})}}
