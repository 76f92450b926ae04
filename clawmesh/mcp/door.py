"""The endpoint: one path for clients of all revisions, told apart by what each message says.

Sources: MCP 2026-07-28, "Streamable HTTP"; MCP 2025-11-25, "Transports", section "Streamable HTTP".
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import anyio
from msgspec import Struct, field
from starlette.routing import BaseRoute, Route

from clawmesh.errors import ClawmeshError, JointError
from clawmesh.mcp.exchange import STREAM, Exchange
from clawmesh.mcp.fault import FORBIDDEN, INVALID_REQUEST, STATUSES, RpcError, StatusError
from clawmesh.mcp.frame import Id, Request, answered, failed, parse, request_of
from clawmesh.mcp.mesh import Mesh
from clawmesh.mcp.method import Calling, Methods, complete, require
from clawmesh.mcp.revision import SUPPORTED, VERSION_HEADER, Params, check_modern, is_modern
from clawmesh.mcp.running import CANCEL, END, Running
from clawmesh.mcp.stream import Progress, Stream
from clawmesh.mcp.subscription import Changes, Listening
from clawmesh.server.request import Receive, Scope, Send

PATH = "/mcp"
VISIT_HEADER = b"mcp-session-id"
INITIALIZE, CALL, LISTEN = "initialize", "tools/call", "subscriptions/listen"
CANCELLED = "notifications/cancelled"


class Cancelled(Struct, frozen=True):
    """Which request is not wanted any more."""

    request: Id = field(name="requestId")


class Place(Struct, frozen=True):
    """Where a message belongs: to which revision, and to which visit, "" for none."""

    modern: bool
    visit: str = ""


def routes(mesh: Mesh) -> Iterable[BaseRoute]:
    """Yield the route of the door, for a site whose guard puts a token into `scope["state"]`."""
    running = Running()
    running.offer(mesh.node)
    yield Route(PATH, Door(mesh, running))


class Door:
    """An ASGI application which answers one message at a time."""

    def __init__(self, mesh: Mesh, running: Running) -> None:
        self._mesh = mesh
        self._running = running
        self._methods = Methods(mesh)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            await HANDLERS.get(exchange.method, Door._refuse)(self, exchange)
        except StatusError as error:
            await exchange.refuse(error)

    async def _refuse(self, exchange: Exchange) -> None:
        raise StatusError(405, f"{PATH} is for {', '.join(HANDLERS)}", (b"allow", ", ".join(HANDLERS).encode()))

    async def _post(self, exchange: Exchange) -> None:
        body = await exchange.body()
        known: Id | None = None
        place = Place(modern=True)
        try:
            frame = parse(body)
            known = frame.known
            request = request_of(frame)
            if request is None:
                await exchange.accept()
                return
            params = request.read(Params)
            place = self._place(exchange, request, params)
            if request.id is None:
                await self._note(exchange, request, place)
            else:
                await self._answer(exchange, request, request.id, params, place)
        except StatusError:
            raise
        except ClawmeshError as error:
            await _fail(exchange, known, RpcError.of(error), place)

    def _place(self, exchange: Exchange, request: Request, params: Params) -> Place:
        """Find out how a message is meant.

        Raises:
            RpcError: it does not say what it has to.
            StatusError: the visit that it belongs to is none (any more), or another token's.
        """
        named = exchange.header(VERSION_HEADER)
        if is_modern(request, params, named):
            if request.id is not None:  # what notifications have to say is not defined
                check_modern(request, params, exchange.header)
            return Place(modern=True)
        if request.method == INITIALIZE:
            return Place(modern=False)
        if visit := exchange.header(VISIT_HEADER):
            self._check_visit(exchange, visit)
        elif not named:
            raise RpcError(INVALID_REQUEST, f"no revision is named; spoken are {', '.join(SUPPORTED)}")
        return Place(modern=False, visit=visit)

    def _check_visit(self, exchange: Exchange, visit: str) -> None:
        if self._running.visits.version(exchange.token, visit) is None:
            raise StatusError(404, "there is no such session of this protocol; initialize another one")

    async def _note(self, exchange: Exchange, request: Request, place: Place) -> None:
        """Take a notification. Since 2026-07-28 leaving is what cancels, so there is none that means anything."""
        if request.method == CANCELLED and place.visit:
            with suppress(RpcError):  # one that cannot be understood is ignored ("Cancellation", "Error Handling")
                id = request.read(Cancelled).request
                if not self._running.cancel(place.visit, id):
                    await self._elsewhere(CANCEL, visit=place.visit, id=id)
        await exchange.accept()

    async def _answer(self, exchange: Exchange, request: Request, id: Id, params: Params, place: Place) -> None:
        if request.method == CALL:
            await self._call(exchange, request, id, params, place)
        elif request.method == LISTEN and place.modern:
            await self._listen(exchange, request, id)
        else:
            result = await self._methods.answer(exchange.token, request, modern=place.modern)
            headers = []
            if request.method == INITIALIZE:
                visit = self._running.visits.begin(exchange.token, result["protocolVersion"])
                headers.append((VISIT_HEADER, visit.encode()))
            await exchange.answer(answered(id, result), headers=headers)

    async def _call(self, exchange: Exchange, request: Request, id: Id, params: Params, place: Place) -> None:
        """Let an agent work, until the client has its answer, takes the call back, or leaves."""
        token, tools = exchange.token, self._methods.tools
        calling = request.read(Calling)
        require(token, "talk")
        agent = tools.find(token, calling.name)
        progress = Progress(params.meta.progress)
        emit = progress.tell if exchange.takes_stream and params.meta.progress is not None else None

        async def work() -> bytes:
            result = await tools.call(token, agent, calling.arguments, emit)
            return answered(id, complete(result) if place.modern else result)

        stream = Stream(exchange.send, progress)
        with self._running.entered(place.visit, id) as scope:
            exchange.when_left(scope.cancel)
            if exchange.takes_stream:
                await stream.run(work)
            else:
                await exchange.answer(await work())
        if scope.cancelled_caught:
            # A request that was cancelled gets no response ("Cancellation", section "Behavior Requirements").
            await (stream.close() if exchange.takes_stream else exchange.accept())

    async def _listen(self, exchange: Exchange, request: Request, id: Id) -> None:
        """Tell a client, for as long as it listens, of what it wants to hear."""
        if not exchange.takes_stream:
            raise StatusError(406, f"{LISTEN} is answered by {STREAM}")
        changes = Changes(id, request.read(Listening).notifications, lambda: self._mesh.app.version)

        async def work() -> bytes:
            await changes.follow()
            return answered(id, complete({"_meta": changes.about}))

        with anyio.CancelScope() as scope:
            exchange.when_left(scope.cancel)
            await Stream(exchange.send, changes).run(work, changes.acknowledged)

    async def _end(self, exchange: Exchange) -> None:
        """End a visit, and the calls that belong to it."""
        visit = exchange.header(VISIT_HEADER)
        self._check_visit(exchange, visit)
        self._running.end(visit)
        await self._elsewhere(END, visit=visit)
        await exchange.empty(204)

    async def _elsewhere(self, verb: str, **arguments: Any) -> None:
        """Let the other processes of the mesh do what a verb says; what one that is not there had to do is over."""
        node = self._mesh.node
        for worker in range(node.workers):
            if worker != node.worker:
                with suppress(JointError):
                    await node.query(verb, worker, **arguments)


HANDLERS = {"DELETE": Door._end, "POST": Door._post}


async def _fail(exchange: Exchange, id: Id | None, error: RpcError, place: Place) -> None:
    """Answer with an error; before 2026-07-28 HTTP says so only of what could not be understood, or is not allowed."""
    said = place.modern or error.code in (INVALID_REQUEST, FORBIDDEN)
    headers = []
    if error.code == FORBIDDEN and error.data:
        # MCP 2026-07-28, "Authorization", section "Scope Challenge Handling"; RFC 6750, section 3.1.
        headers.append(
            (b"www-authenticate", b'Bearer error="insufficient_scope", scope="%b"' % error.data["scope"].encode())
        )
    status = STATUSES.get(error.code, 200) if said else 200
    await exchange.answer(failed(id, error), status=status, headers=headers)
