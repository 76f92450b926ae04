"""The door: where other processes of this user come in, workers of the same mesh as well as commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from clawmesh import messages
from clawmesh.clock import Clock
from clawmesh.cluster.connection import Connection
from clawmesh.cluster.frame import Accepted, Deliver, Ended, Frame, Leave, Piece, Query, Refused, Reply
from clawmesh.cluster.joint import BOUNDS
from clawmesh.cluster.socket import listen, unlink
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import BusyError, ClawmeshError, FailedError, JointError, UsageError
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.record import pack_outcome, unpack_envelope
from clawmesh.messages import Emit

CONNECTIONS = 1024
QUERIES = 64

Verb: TypeAlias = Callable[..., Awaitable[Any]]
"""Answers a query: takes its arguments by name, returns what msgpack can say."""


class Intake(Protocol):
    """What the engine does for those who come in; see `clawmesh.mesh.engine.Engine`."""

    async def receive(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Delivery: ...

    async def take(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Delivery: ...

    async def kept(self, delivery: Delivery) -> None: ...

    async def settled(self, delivery: Delivery, emit: Emit | None = None) -> Outcome: ...


class Door:
    """Lets in those who connect; made by `open_door`.

    Whoever goes without a word leaves its work behind, which goes on: it may be a worker that is started again and
    asks for the same. One that says that it leaves ends what nobody else waits for.
    """

    def __init__(self, intake: Intake, verbs: Mapping[str, Verb], clock: Clock, warn: Callable[[str], None]) -> None:
        self.intake = intake
        self.verbs = verbs
        self.clock = clock
        self.warn = warn
        self.shut = False
        self.guests: set[Guest] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection(self) -> Connection:
        """Return what speaks with the next one that comes in."""
        return Connection(Guest(self))

    def close(self) -> None:
        """Let nobody from outside of the mesh hand anything in any more."""
        self.shut = True

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work that belongs to the door; it tells its failures to those whom it is for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def told(self) -> None:
        """Wait until everybody has been told what became of what they have handed in by now."""
        if tasks := {*self._tasks}:
            await asyncio.wait(tasks)

    async def end(self) -> None:
        """End every connection; what came in goes on without it."""
        for guest in [*self.guests]:
            guest.leave()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Stay(Struct, frozen=True):
    """An envelope that was taken in, and the task that waits for its outcome."""

    work: asyncio.Task[None]
    delivery: Delivery


class Guest:
    """One that came in: its frames are taken, and what becomes of them is sent."""

    connection: Connection

    def __init__(self, door: Door) -> None:
        self._door = door
        self._coming: dict[int, asyncio.Task[None]] = {}
        self._staying: dict[int, Stay] = {}

    def opened(self, connection: Connection) -> None:
        if len(self._door.guests) >= CONNECTIONS:
            raise JointError(f"{CONNECTIONS} processes have come in already")
        self.connection = connection
        self._door.guests.add(self)

    def received(self, connection: Connection, frame: Frame) -> None:
        match frame:
            case Deliver(number):
                self._begin(number, self._take(frame))
            case Query(number):
                self._begin(number, self._answer(frame))
            case Leave(number):
                if stay := self._staying.get(number):
                    stay.work.cancel()
                elif work := self._coming.get(number):
                    work.cancel()
            case _:
                raise JointError(f"found {type(frame).__name__}, expected a delivery or a query")

    def resumed(self, connection: Connection) -> None:
        """Nothing waits here: what is sent is bounded by what was asked for, and by the connection's backlog."""

    def lost(self, connection: Connection, error: JointError) -> None:
        if self in self._door.guests:
            self._door.guests.discard(self)
            self.leave()

    def leave(self) -> None:
        """Send what there is to send, and let the work go on for nobody."""
        self.connection.close()
        for stay in self._staying.values():
            stay.delivery.detached = True
        for work in self._coming.values():
            work.cancel()

    def _begin(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        if len(self._coming) >= BOUNDS.window + QUERIES or number in self._coming or number in self._staying:
            work.close()
            raise JointError(f"found number {number} twice, or more than {BOUNDS.window} deliveries at once")
        task = self._coming[number] = self._door.start(work)
        task.add_done_callback(lambda _: self._coming.pop(number, None))

    async def _take(self, frame: Deliver) -> None:
        """Take an envelope in and say what becomes of it."""
        number = frame.number

        def emit(piece: messages.Piece) -> None:
            self._say(Piece(number, piece))

        heard = emit if frame.stream else None
        try:
            delivery = await self._let_in(frame, heard)
        except Exception as error:  # noqa: BLE001 - told to the one who handed it in
            self._refuse(number, error)
            return
        self._staying[number] = Stay(self._coming.pop(number), delivery)
        try:
            await self._door.intake.kept(delivery)
            self._say(Accepted(number))
            if delivery.envelope.kind == "ask":
                outcome = await self._door.intake.settled(delivery, heard)
                self._say(Ended(number, pack_outcome(outcome)))
        except Exception as error:  # noqa: BLE001 - told to the one who handed it in
            self._refuse(number, error)
        finally:
            del self._staying[number]

    async def _let_in(self, frame: Deliver, emit: Emit | None) -> Delivery:
        door = self._door
        envelope = unpack_envelope(frame.envelope, door.clock)
        if envelope.causes:  # it belongs to what is inside already
            return await door.intake.take(envelope, emit, again=frame.again)
        if door.shut:
            raise BusyError("the process is ending")
        return await door.intake.receive(envelope, emit, again=frame.again)

    async def _answer(self, frame: Query) -> None:
        try:
            verb = named(frame.verb, self._door.verbs)
            self._say(Reply(frame.number, await verb(**frame.arguments)))
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            self._refuse(frame.number, error)

    def _refuse(self, number: int, error: Exception) -> None:
        """Say an error to the other side; one that nobody foresaw also to the people here."""
        if not isinstance(error, ClawmeshError):
            self._door.warn(f"what came through the door failed: {type(error).__name__}: {error}")
            error = FailedError(f"{type(error).__name__}: {error}")
        leaving = self._door.shut and isinstance(error, BusyError)
        self._say(Refused(number, pack_outcome(Outcome(Ending.FAILED, error=error)), leaving))

    def _say(self, frame: Accepted | Piece | Ended | Refused | Reply) -> None:
        try:
            self.connection.send(frame)
        except JointError as error:
            # Too large: the error in its place is not.
            fault = pack_outcome(Outcome(Ending.FAILED, error=FailedError(f"the answer cannot be passed on: {error}")))
            self.connection.send(Refused(frame.number, fault))


def named(name: str, verbs: Mapping[str, Verb]) -> Verb:
    """Return the verb of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in verbs:
        raise UsageError(f'there is no query "{name}"{did_you_mean(name, verbs, otherwise="there are")}')
    return verbs[name]


@asynccontextmanager
async def open_door(
    path: Path, intake: Intake, verbs: Mapping[str, Verb], clock: Clock, warn: Callable[[str], None]
) -> AsyncIterator[Door]:
    """Listen at `path` until the block ends; `warn` hears of failures that are our own.

    Raises:
        StorageError: no socket can be opened there.
    """
    door = Door(intake, verbs, clock, warn)
    server = await asyncio.get_running_loop().create_unix_server(door.connection, sock=listen(path))
    try:
        yield door
    finally:
        server.close()
        # Whoever dials now learns at once that nobody listens.
        unlink(path)
        await door.end()
