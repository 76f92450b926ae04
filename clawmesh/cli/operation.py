"""What a person does to the mesh of a data directory, in whichever process that is."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from clawmesh.cli.console import Console
from clawmesh.cli.opening import opened
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import holder, socket_of
from clawmesh.cluster.home import home
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.config.location import locate
from clawmesh.errors import JointError
from clawmesh.mesh.dead import discard, redrive


class Operate(Protocol):
    """Does what a verb says in the process where a session lives."""

    async def __call__(self, verb: str, session: str, /, **arguments: Any) -> Any: ...


@asynccontextmanager
async def operating(arguments: argparse.Namespace, console: Console) -> AsyncIterator[Operate]:
    """Reach the process that has the mesh, or open the mesh here where there is none."""
    data = locate(arguments.config, arguments.data, console.environ).data
    async with reached(data) as workers:
        if workers:

            async def ask(verb: str, session: str, /, **arguments: Any) -> Any:
                return await workers[home(session, len(workers))].query(verb, **arguments)

            yield ask
            return
    async with opened(arguments, console) as app:
        own: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "redrive": partial(redrive, app.engine),
            "discard": partial(discard, app.engine),
        }

        async def do(verb: str, _session: str, /, **arguments: Any) -> Any:
            return await own[verb](**arguments)

        yield do


@asynccontextmanager
async def reached(data: Path) -> AsyncIterator[Sequence[SocketJoint]]:
    """Connect to every worker of the process that holds a data directory; to none where there is no such process."""
    found = holder(data)
    async with AsyncExitStack() as stack:
        joints: list[SocketJoint] = []
        try:
            for worker in range(found.workers if found else 0):
                path = socket_of(data, worker)
                joints.append(await stack.enter_async_context(open_joint(path, SystemClock(), lasting=False)))
        except JointError:
            joints.clear()  # it ended without a word
        yield joints
