"""A node: one process of the mesh, with its door and its joints to the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from clawmesh.app import App, Seat, open_app
from clawmesh.clock import SystemClock
from clawmesh.cluster.door import Door, Verb, named, open_door
from clawmesh.cluster.hold import socket_of
from clawmesh.cluster.home import home
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.cluster.ring import Rings
from clawmesh.cluster.task import beside
from clawmesh.cluster.verb import verbs
from clawmesh.config.location import JOURNAL, Places
from clawmesh.config.model import Config
from clawmesh.journal.partition import divided, move_sessions
from clawmesh.mesh.address import Address


class Place(Struct, frozen=True):
    """Which of how many workers a process is, and what ends all of them.

    The sessions may be divided among more journals than there are workers: then the only worker has all of them.
    """

    stop: Callable[[], None]
    worker: int = 0
    workers: int = 1
    journals: int = 1

    @property
    def own(self) -> Sequence[int]:
        """Return the numbers of the journals that are this worker's."""
        return (self.worker,) if self.workers > 1 else range(self.journals)


class Node(Struct, frozen=True):
    """A process of the mesh that runs; the `verbs` are what others may ask of it through its door."""

    app: App
    door: Door
    verbs: dict[str, Verb]
    worker: int = 0
    workers: int = 1
    joints: Mapping[int, SocketJoint] = {}

    async def query(self, verb: str, worker: int, /, **arguments: Any) -> Any:
        """Do what a verb of `clawmesh.cluster.verb` says, in one of the workers.

        Raises:
            ClawmeshError: as the verb failed.
            JointError: the worker cannot be reached at present.
        """
        if worker == self.worker:
            return await named(verb, self.verbs)(**arguments)
        return await self.joints[worker].query(verb, **arguments)

    def offer(self, name: str, verb: Verb) -> None:
        """Let others ask for one more verb."""
        self.verbs[name] = verb

    def home(self, session: str) -> int:
        """Return the number of the worker that a session is at home in."""
        return home(session, self.workers)

    async def drain(self, seconds: float) -> None:
        """Let nothing more in from outside, and wait for what is under way, for so many seconds at most."""
        self.door.close()
        self.app.engine.gate.hold("ending", "the process is ending")
        with anyio.move_on_after(seconds):
            await self.app.engine.drained()
            await self.door.told()


def settle(data: Path, workers: int) -> int:
    """Make sure that each session lies where it is looked for; return among how many journals they are divided.

    Several workers have a journal each, so sessions may have to move; one has all the journals that there are.

    Raises:
        StorageError: a journal cannot be read or written.
    """
    folder = data / JOURNAL
    journals = workers if workers > 1 else divided(folder) or 1
    move_sessions(folder, journals, partial(home, workers=journals))
    return journals


@asynccontextmanager
async def open_node(
    config: Config, places: Places, environ: Mapping[str, str], warn: Callable[[str], None], place: Place
) -> AsyncIterator[Node]:
    """Open the mesh, or one worker's part of it, in this process, which holds the data directory.

    Raises as `open_app` does, and StorageError where no socket can be opened.
    """
    clock = SystemClock()
    joints: dict[int, SocketJoint] = {}

    def at(address: Address) -> int:
        return home(address.session, place.workers)

    def route(address: Address) -> SocketJoint | None:
        return joints.get(at(address))

    async with AsyncExitStack() as stack:
        for other in range(place.workers):
            if other != place.worker:
                joint = open_joint(socket_of(places.data, other), clock, lasting=True)
                joints[other] = await stack.enter_async_context(joint)
        seat = Seat(place.workers, route, place.own, partial(home, workers=place.journals))
        app = await stack.enter_async_context(open_app(config, places, environ, warn, seat))
        if joints:
            await stack.enter_async_context(beside(Rings(app.engine.waits, joints, at).watch))
        offered = dict(verbs(app, place.worker, place.stop))
        path = socket_of(places.data, place.worker)
        door = await stack.enter_async_context(open_door(path, app.engine, offered, clock, warn))
        yield Node(app, door, offered, place.worker, place.workers, joints)
