"""The door: which paths lead where, and what works beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from ipaddress import ip_network

import anyio
import msgspec
from starlette.routing import BaseRoute, Route

from clawmesh.a2a.binding import Rest, Rpc, known_to, operations, require_verb
from clawmesh.a2a.call import Call, answer
from clawmesh.a2a.card import ROOT, WELL_KNOWN, agent_card, server_card
from clawmesh.a2a.courier import PAUSES, Courier
from clawmesh.a2a.desk import Desk
from clawmesh.a2a.fault import METHOD_NOT_FOUND, PERMISSION_DENIED, A2aError, http_error, kind_of
from clawmesh.a2a.mesh import Mesh, Node
from clawmesh.a2a.webhook import Webhooks
from clawmesh.config.model import Config
from clawmesh.errors import ClawmeshError, ConfigError, Problem
from clawmesh.http.egress import EgressPolicy
from clawmesh.http.tls import Identity
from clawmesh.http.transport import open_transport
from clawmesh.server.request import Receive, Scope, Send

# Cards change when the configuration does.
FRESH = b"private, max-age=60"


@asynccontextmanager
async def open_a2a(
    node: Node, warn: Callable[[str], None], pauses: Sequence[float] = PAUSES
) -> AsyncIterator[Sequence[BaseRoute]]:
    """Yield the routes, for a site whose guard puts a token into `scope["state"]`; push notifications go out meanwhile.

    `pauses` are those between two tries of a push notification, in seconds. `warn` hears of those that never arrive.

    Raises:
        ConfigError: `[a2a] push_networks` has what is no network.
    """
    config = node.app.config
    policy = EgressPolicy(networks=_networks(config), ports=())
    mesh = Mesh(node)
    webhooks = Webhooks(node.app.places.data, policy)
    failure: Exception | None = None
    # Of its own: what others reach over theirs, this one must not.
    async with open_transport(identity=Identity(ca_file=str(config.http.ca_file or ""))) as transport:
        courier = Courier(mesh, webhooks, transport, policy, warn, pauses)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_guarded, courier, warn)
            try:
                yield tuple(_routes(mesh, Desk(mesh, webhooks, courier)))
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
                failure = error
            finally:
                tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _guarded(courier: Courier, warn: Callable[[str], None]) -> None:
    """Run the courier; that what it keeps cannot be read is no reason not to serve."""
    try:
        await courier.run()
    except ClawmeshError as error:
        warn(f"no push notifications: {error}")


def _networks(config: Config) -> tuple[str, ...]:
    for network in config.a2a.push_networks:
        try:
            ip_network(network)
        except ValueError as error:
            problem = Problem(str(error), str(config.path or ""), table="a2a", key="push_networks")
            raise ConfigError([problem]) from error
    return config.a2a.push_networks


def _routes(mesh: Mesh, desk: Desk) -> Iterator[BaseRoute]:
    offered = operations(desk)
    cards, rpc, rest = Cards(mesh), Rpc(mesh, offered), Rest(mesh, offered)
    yield Route(WELL_KNOWN, cards)
    yield Route(f"{ROOT}{WELL_KNOWN}", cards)
    yield Route(f"{ROOT}/{{agent}}{WELL_KNOWN}", cards)
    yield Route(ROOT, rpc)
    yield Route(f"{ROOT}/{{agent}}", rpc)
    yield Route(f"{ROOT}/{{agent}}/{{rest:path}}", rest)


class Cards:
    """Shows the card of an agent, or of the server, to those who may use what it tells of."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive)
        try:
            require_verb(call, "GET", "HEAD")
            card = self._card(call)
        except ClawmeshError as error:
            await answer(send, http_error(error), status=kind_of(error).status, media=b"application/json")
            return
        tag = b'"%b"' % sha256(msgspec.json.encode(card)).hexdigest()[:32].encode()
        headers = [(b"cache-control", FRESH), (b"etag", tag), (b"vary", b"authorization")]
        if call.header(b"if-none-match").encode("latin-1") == tag:
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await answer(send, card, media=b"application/json", headers=headers)

    def _card(self, call: Call) -> object:
        if not (call.holder.may("read") or call.holder.may("talk")):
            raise A2aError(PERMISSION_DENIED, f'the token "{call.holder.name}" has not the scope "read" or "talk"')
        name, agents = call.part("agent"), self._mesh.agents
        if not name:
            return server_card(known_to(call.holder, agents.values()), call.base)
        if name not in agents or not call.holder.knows(name):
            raise A2aError(METHOD_NOT_FOUND, f'there is no agent "{name}"')
        return agent_card(agents[name], call.base)
