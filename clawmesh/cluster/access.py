"""The way into the mesh of a data directory: through the process that holds it, or by being that process.

Commands may start and end at any moment, side by side: one of them holds the directory, the others come in through its
door, and when it goes, one of those takes over what the journal has of their messages.
"""

from __future__ import annotations

from asyncio import Future, get_running_loop, timeout_at
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from clawmesh.clock import SystemClock
from clawmesh.cluster.door import named
from clawmesh.cluster.hold import Holder, hold, holder, socket_of
from clawmesh.cluster.home import home
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.cluster.node import Node, Place, settle
from clawmesh.errors import ExpiredError, FailedError, HeldError, JointError, VersionError
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Emit, Message, Piece, Retraction

T = TypeVar("T")
Opener: TypeAlias = Callable[[Place], AbstractAsyncContextManager[Node]]
"""Opens the mesh in this process."""

# Whoever holds the directory may have to open a large journal first.
PATIENCE = 60.0
PAUSE = 0.02
# The process that has the message says by itself that its deadline has passed; only if it is silent do we.
GRACE = 5.0
DRAIN_SECONDS = 30.0


class Kept:
    """Something that is open in a task of its own: `end` asks it to close, `over` says that it has."""

    def __init__(self) -> None:
        self.end = anyio.Event()
        self.over = anyio.Event()


class Access:
    """Made by `open_access`."""

    def __init__(self, data: Path, verb: str, opener: Opener, tasks: TaskGroup, patience: float) -> None:
        self._data = data
        self._verb = verb
        self._opener = opener
        self._tasks = tasks
        self._patience = patience
        self._clock = SystemClock()
        self._node: Node | None = None
        self._holder: Holder | None = None
        self._joints: dict[int, SocketJoint] = {}
        self._kept: list[Kept] = []
        self.ids = Ids(self._clock)
        self.failure: Exception | None = None

    async def ask(
        self, to: Address, message: Message, *, id: str = "", seconds: float | None = None, emit: Emit | None = None
    ) -> Outcome:
        """Deliver a message and return how it ended, whatever becomes of the process that has it meanwhile.

        Pieces of the answer go to `emit` as they come; `id` is the one to deliver it under, if it has one.

        Raises as `clawmesh.mesh.engine.Engine.ask` does, and HeldError where a process holds the data directory and
        does not answer, VersionError where it is another version.
        """
        if seconds is None:
            seconds = (await self.status(to.session))["deadline"]
        envelope = Envelope(
            id=id or self.ids.new("env"),
            sender="user",
            to=to,
            kind="ask",
            message=message,
            deadline=self._clock.monotonic() + seconds,
        )
        try:
            # Longer than the deadline, for whoever has the message says by itself that this has passed.
            async with timeout_at(get_running_loop().time() + seconds + GRACE):
                return await self._persist(envelope, emit)
        except TimeoutError as error:
            raise _overdue(envelope) from error

    async def _persist(self, envelope: Envelope, emit: Emit | None) -> Outcome:
        heard = Heard(emit)
        again = False
        while True:
            try:
                return await self._deliver(envelope, heard.emit if emit else None, again=again)
            except VersionError:
                raise
            except JointError as error:
                # Whoever had it is gone: the next one has it in the journal, or gets it anew.
                if self._clock.monotonic() >= envelope.deadline:
                    raise _overdue(envelope) from error
                heard.retract(str(error))
                again = True
                await anyio.sleep(PAUSE)

    async def query(self, verb: str, session: str, /, **arguments: Any) -> Any:
        """Do what a verb of `clawmesh.cluster.verb` says, in the process that is home to a session.

        Raises:
            ClawmeshError: as the verb failed.
            HeldError: a process holds the data directory and does not answer.
            JointError: the connection broke, and whether it was done is not known; or it is another version.
        """
        way = await self._way(session)
        if isinstance(way, SocketJoint):
            return await way.query(verb, **arguments)
        return await named(verb, way.verbs)(**arguments)

    async def status(self, session: str) -> Any:
        """Return what `clawmesh.cluster.verb` tells of the process that is home to a session; raises as `query`."""
        while True:
            try:
                return await self.query("status", session)
            except VersionError:
                raise
            except JointError:
                await anyio.sleep(PAUSE)  # whoever held it has just ended: asking costs nothing

    async def drain(self) -> int:
        """Wait for what is under way in this process, if it is the one that has the mesh; return how much is left."""
        if self._node is None:
            return 0
        await self._node.drain(DRAIN_SECONDS)
        return self._node.app.engine.under_way

    async def close(self) -> None:
        """Close what is open, the newest first."""
        for kept in [*reversed(self._kept)]:
            kept.end.set()
            await kept.over.wait()

    async def _deliver(self, envelope: Envelope, emit: Emit | None, *, again: bool) -> Outcome:
        way = await self._way(envelope.to.session)
        if isinstance(way, Node):
            engine = way.app.engine
            return await engine.settled(await engine.receive(envelope, emit, again=again), emit)
        delivery = Delivery(envelope, emit)
        delivery.again = again
        await way.deliver(delivery)
        try:
            outcome = await delivery.waiter()
        finally:
            way.abandon(delivery)
        if isinstance(outcome.error, JointError):
            raise outcome.error
        return outcome

    async def _way(self, session: str) -> Node | SocketJoint:
        """Return what leads to a session: this process itself, or a connection to the one that has it."""
        until = self._clock.monotonic() + self._patience
        while self._node is None:
            try:
                if joint := await self._joint(session):
                    return joint
                return await self._keep(self._holding, self._took)
            except HeldError as error:
                if self._clock.monotonic() >= until:
                    raise HeldError(f"the data directory {self._data} is held, but nobody answers: {error}") from error
            await anyio.sleep(PAUSE)
        return self._node

    async def _joint(self, session: str) -> SocketJoint | None:
        """Return the connection to the worker that is a session's home; None where no process holds the directory."""
        found = holder(self._data)
        if found != self._holder:
            self._holder = found
            self._joints.clear()
            for kept in self._kept:
                kept.end.set()
        if found is None:
            return None
        worker = home(session, found.workers)
        joint = self._joints.get(worker)
        if joint is not None and joint.connected:
            return joint
        try:
            path = socket_of(self._data, worker)
            joint = await self._keep(lambda: open_joint(path, self._clock, lasting=False), lambda _: None)
        except VersionError:
            raise
        except JointError:
            return None  # it may have died without a word; holding the directory shows it
        self._joints[worker] = joint
        return joint

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator[Node]:
        with hold(self._data, self._verb):
            journals = await anyio.to_thread.run_sync(settle, self._data, 1)
            async with self._opener(Place(_unstoppable, journals=journals)) as node:
                yield node

    def _took(self, node: Node) -> None:
        self._node = node

    async def _keep(self, resource: Callable[[], AbstractAsyncContextManager[T]], use: Callable[[T], None]) -> T:
        """Open something in a task of its own, where it stays open; whoever asked may be cancelled."""
        kept = Kept()
        found: Future[T] = get_running_loop().create_future()

        async def keep() -> None:
            try:
                async with resource() as thing:
                    use(thing)
                    if not found.done():
                        found.set_result(thing)
                    await kept.end.wait()
            except Exception as error:  # noqa: BLE001 - for whoever waits, or else for the owner
                if found.done():
                    self._fail(error)
                else:
                    found.set_exception(error)
            finally:
                self._kept.remove(kept)
                kept.over.set()

        self._kept.append(kept)
        self._tasks.start_soon(keep)
        return await found

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self._tasks.cancel_scope.cancel()


class Heard:
    """Passes pieces on, and takes back what was passed on of an answer that starts again."""

    def __init__(self, emit: Emit | None) -> None:
        self._emit = emit
        self._any = False

    def emit(self, piece: Piece) -> None:
        if self._emit is not None:
            self._any = True
            self._emit(piece)

    def retract(self, reason: str) -> None:
        if self._any:
            self.emit(Retraction(reason))


def _overdue(envelope: Envelope) -> ExpiredError:
    return ExpiredError(f"no answer from {envelope.to} before the deadline")


def _unstoppable() -> None:
    raise FailedError("this process ends when its own work is done")


@asynccontextmanager
async def open_access(
    data: Path, verb: str, opener: Opener, warn: Callable[[str], None], *, patience: float = PATIENCE
) -> AsyncIterator[Access]:
    """Give access to the mesh of a data directory; nothing is opened before it is needed.

    If that makes this process the one that has the mesh, it is drained at the end; `warn` hears what is left then.
    `patience` is for how many seconds a process may hold the directory without answering.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        access = Access(data, verb, opener, tasks, patience)
        try:
            yield access
            if left := await access.drain():
                warn(f"{left} messages are not done yet; they go on when the mesh is opened again")
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
            failure = error
        finally:
            with anyio.CancelScope(shield=True):
                await access.close()
    if (first := access.failure or failure) is not None:
        raise first
