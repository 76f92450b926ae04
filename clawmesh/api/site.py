"""All that is served: which path leads where, and what stands before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route, Router

from clawmesh.abc.journal import Story
from clawmesh.api.call import Endpoint
from clawmesh.api.fault import ApiError, say
from clawmesh.api.guard import Guard
from clawmesh.api.health import Health
from clawmesh.api.mesh import Mesh
from clawmesh.api.messages import Messages
from clawmesh.api.openai.door import OpenAI
from clawmesh.api.operation import Operation
from clawmesh.api.page import Page, is_open
from clawmesh.api.sessions import Sessions
from clawmesh.api.token import Tokens
from clawmesh.server.request import Application, Receive, Scope, Send
from clawmesh.web import files

PROBES = frozenset({"/healthz", "/readyz"})


def site(mesh: Mesh, tokens: Tokens, hosts: Collection[str], others: Iterable[BaseRoute] = ()) -> Guard:
    """Return the application, with its guard before it; `others` are the routes of other doors."""
    router = Router(routes=[*routes(mesh), *others], redirect_slashes=False, default=_nowhere)
    return Guard(router, tokens, mesh.engine.clock, hosts, lambda path: path in PROBES or is_open(path))


def routes(mesh: Mesh) -> Iterable[BaseRoute]:
    """Yield the routes of the control plane."""
    yield from (Path(file.path, Page(file), methods=["GET"]) for file in files())
    sessions, messages, operation, health = Sessions(mesh), Messages(mesh), Operation(mesh), Health(mesh)
    yield Path("/healthz", _Raw(health.alive), methods=["GET"])
    yield Path("/readyz", _Raw(health.ready), methods=["GET"])
    yield Path("/metrics", _Raw(health.metrics), methods=["GET"])
    yield Path("/api/status", Endpoint(None, operation.status), methods=["GET"])
    yield Path("/api/agents", Endpoint("read", sessions.agents), methods=["GET"])
    yield Path("/api/agents/{agent}", Endpoint("read", sessions.agent), methods=["GET"])
    yield Path("/api/agents/{agent}/messages", _Raw(messages.post), methods=["POST"])
    yield Path("/api/sessions", Endpoint("read", sessions.list), methods=["GET"])
    yield Path("/api/sessions/{agent}/{session}", Endpoint("read", sessions.session), methods=["GET"])
    yield Path("/api/messages/{id}", Endpoint("read", messages.get), methods=["GET"])
    yield Path("/api/events", _Raw(operation.events), methods=["GET"])
    yield Path("/api/graph", Endpoint("operate", operation.graph), methods=["GET"])
    yield Path("/api/dead", Endpoint("operate", operation.letters), methods=["GET"])
    yield Path("/api/dead/{id}", Endpoint("operate", operation.discard), methods=["DELETE"])
    yield Path("/api/dead/{id}/redrive", Endpoint("operate", operation.redrive), methods=["POST"])
    yield Path("/api/cost", Endpoint("operate", operation.cost), methods=["GET"])
    yield Path("/api/config", Endpoint("operate", operation.config), methods=["GET"])
    yield Path("/api/reload", Endpoint("admin", operation.reload), methods=["POST"])

    async def story(envelope: str) -> Story:
        return await mesh.read(lambda archive: archive.story(envelope))

    openai = OpenAI(mesh.engine, mesh.agents, mesh.engine.clock, mesh.app.ids, stories=story)
    rows: dict[str, dict[str, Application]] = {}
    for method, path, application in openai.rows():
        rows.setdefault(path, {})[method] = application
    for path, applications in rows.items():
        yield Path(path, _ByMethod(applications), methods=[*applications])


class Path(Route):
    """A route that says in our words, and not in Starlette's, which methods it knows."""

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        if self.methods and scope["method"] not in self.methods:
            known = ", ".join(sorted(self.methods))
            await say(ApiError(405, f"{scope['path']} is for {known}"), send)
            return
        await super().handle(scope, receive, send)


class _ByMethod:
    """Several applications at one path."""

    def __init__(self, applications: Mapping[str, Application]) -> None:
        self._applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._applications["GET" if scope["method"] == "HEAD" else scope["method"]](scope, receive, send)


class _Raw:
    """An endpoint that is an ASGI application itself; a router takes a bare function for another kind of thing."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await say(ApiError(404, f"there is nothing at {scope['path']}"), send)
