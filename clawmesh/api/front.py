"""The front door: everything that one process serves over HTTP."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import anyio
from starlette.routing import BaseRoute

from clawmesh.api.listener import Listener
from clawmesh.api.mesh import Mesh, Node
from clawmesh.api.site import site
from clawmesh.api.token import Tokens
from clawmesh.config.model import ApiSettings
from clawmesh.server.limits import Patience, Room
from clawmesh.server.server import Server, open_server

MIB = 1024 * 1024
RESERVED, MIN_CONNECTIONS = 128, 16


@asynccontextmanager
async def open_front(
    node: Node,
    listener: Listener,
    settings: ApiSettings,
    warn: Callable[[str], None],
    others: Iterable[BaseRoute] = (),
) -> AsyncIterator[Server]:
    """Serve until the block ends; `warn` hears of requests that could not be answered by a fault of ours.

    `others` are the routes of doors that this one knows nothing of; the same guard stands before them.
    """
    guard = site(Mesh(node), Tokens(node.app.places.data), listener.hosts, others)
    # Beside clients there are backends, other workers, and files; who has no descriptor left can do nothing at all.
    most = max(MIN_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED)
    room = Room(body_bytes=settings.body * MIB, connections=min(settings.connections, most))
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(guard.sweep)
        try:
            opening = open_server(
                guard, listener.sockets, failed=warn, patience=Patience(), room=room, tls=listener.tls
            )
            async with opening as server:
                yield server
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
            failure = error
        finally:
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
