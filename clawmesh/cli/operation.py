"""What a person does to the mesh of a data directory, in whichever process that is."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from clawmesh.cli.console import Console
from clawmesh.cli.opening import opened
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import holder, socket_of
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.errors import JointError


class Operate(Protocol):
    """Does what a verb says in the process where a session lives."""

    async def __call__(self, verb: str, session: str, /, **arguments: Any) -> Any: ...


@asynccontextmanager
async def operating(arguments: argparse.Namespace, console: Console) -> AsyncIterator[Operate]:
    """Reach the process that has the mesh, or open the mesh here where there is none."""
    async with opened(arguments, console) as access:
        yield access.query


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
