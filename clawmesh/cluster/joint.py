"""The way to another process of this mesh: envelopes go over, outcomes come back."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from clawmesh.clock import Clock
from clawmesh.cluster.connection import Connection
from clawmesh.cluster.frame import Accepted, Deliver, Ended, Frame, Leave, Piece, Query, Refused, Reply
from clawmesh.cluster.socket import dial
from clawmesh.cluster.task import beside
from clawmesh.errors import ClawmeshError, ExpiredError, FailedError, FullError, JointError, RefusedError
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Outcome
from clawmesh.mesh.record import pack_envelope, unpack_outcome

# The other side says by itself why it did not take something in time; only if it is silent do we.
GRACE = 0.25
SWEEP = 5.0
PAUSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Bounds(Struct, frozen=True):
    """How many deliveries are on their way that the other side has not put on disk, and how many wait for that."""

    window: int = 8192
    line: int = 100_000


BOUNDS = Bounds()


class Handed:
    """A delivery that is for the other side; `accepted` is set when it is on disk there.

    `looks` counts how often somebody has looked whether it can ever end; `since` is when it was handed over.
    """

    __slots__ = ("accepted", "delivery", "looks", "number", "since")

    def __init__(self, number: int, delivery: Delivery, accepted: Future[None]) -> None:
        self.number = number
        self.delivery = delivery
        self.accepted = accepted
        self.since = accepted.get_loop().time()
        self.looks = 0


class SocketJoint:
    """Implements `clawmesh.mesh.route.Joint`; made by `open_joint`."""

    def __init__(self, path: Path, clock: Clock, bounds: Bounds, *, lasting: bool) -> None:
        self._path = path
        self._lasting = lasting
        self._bounds = bounds
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._handed: dict[int, Handed] = {}
        self._by_delivery: dict[Delivery, Handed] = {}
        self._line: deque[Handed] = deque()
        self._unaccepted: set[int] = set()
        self._asked: dict[int, Future[Any]] = {}
        self._connection: Connection | None = None
        self._opening: Future[None] = self._loop.create_future()
        self._broken: Future[JointError] = self._loop.create_future()
        self._end: ClawmeshError | None = None

    @property
    def under_way(self) -> int:
        """How many deliveries wait for something from the other side."""
        return len(self._by_delivery)

    @property
    def connected(self) -> bool:
        """Whether the other side can be reached at this moment."""
        return self._connection is not None

    async def deliver(self, delivery: Delivery) -> None:
        """Hand an envelope over; return when it is on disk there.

        Raises:
            MeshError: as the engine over there refused it, or it could not be reached before the deadline.
            JointError: the connection broke, where it is not mended.
        """
        if self._end is not None:
            raise self._end
        if len(self._line) >= self._bounds.line:
            raise FullError(f"{len(self._line)} messages wait for the process that is home to {delivery.envelope.to}")
        handed = Handed(next(self._numbers), delivery, self._loop.create_future())
        self._by_delivery[delivery] = handed
        remaining = max(0.0, delivery.envelope.deadline - self._clock.monotonic())
        timer = self._loop.call_later(remaining + GRACE, self._expire, handed)
        try:
            self._line.append(handed)
            self._advance()
            await handed.accepted
        except BaseException:
            self.abandon(delivery)
            raise
        finally:
            timer.cancel()

    def abandon(self, delivery: Delivery) -> None:
        """Say that nobody waits any more for the outcome."""
        handed = self._by_delivery.get(delivery)
        if handed is None:
            return
        sent = handed.number in self._handed
        self._forget(handed)
        if sent and self._connection is not None:
            self._connection.send(Leave(handed.number))

    def long(self, seconds: float) -> Sequence[Delivery]:
        """Return what sessions here have waited for that long, twice as long, four times as long, each time once."""
        now = self._loop.time()
        found = [
            handed
            for handed in self._handed.values()
            if handed.delivery.envelope.waiting and now - handed.since >= seconds * 2**handed.looks
        ]
        for handed in found:
            handed.looks += 1
        return [handed.delivery for handed in found]

    def refuse(self, delivery: Delivery, error: RefusedError) -> None:
        """End a delivery that can never have an answer."""
        if delivery in self._by_delivery:
            self.abandon(delivery)
            delivery.end(Outcome(Ending.REFUSED, error=error))

    async def query(self, verb: str, **arguments: Any) -> Any:
        """Let the other side do what `verb` says; return what it gave.

        Raises:
            ClawmeshError: as it failed over there.
            JointError: there is no connection, or it broke; whether it was done is not known.
        """
        if self._connection is None:
            raise JointError(f"nobody answers at {self._path}")
        number = next(self._numbers)
        answer = self._asked[number] = self._loop.create_future()
        try:
            self._connection.send(Query(number, verb, arguments))
            return await answer
        finally:
            del self._asked[number]

    async def connect(self) -> None:
        """Open the connection.

        Raises:
            JointError: nobody answers there, or not as we do.
        """
        sock = dial(self._path)
        self._opening, self._broken = self._loop.create_future(), self._loop.create_future()
        _, connection = await self._loop.create_unix_connection(lambda: Connection(self), sock=sock)
        try:
            await self._opening
        except asyncio.CancelledError:
            connection.abort(JointError("the connection is not wanted any more"))
            raise

    async def mend(self) -> None:
        """Keep the connection open for ever."""
        tries = 0
        while True:
            await anyio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1
            try:
                await self.connect()
            except JointError:
                continue  # it is about to start again; whoever waits has a deadline
            tries = 0
            await self._broken

    async def watch(self) -> None:
        """Let everything fail when the connection breaks."""
        self.close(await self._broken)

    def close(self, error: ClawmeshError) -> None:
        """Take nothing more and end all that is under way, with this error."""
        self._end = error
        for handed in [*self._by_delivery.values()]:
            self._fail(handed, error)
        if self._connection is not None:
            self._connection.close()

    async def sweep(self) -> None:
        """Again and again, end what should have had its outcome long ago: the process that had it is gone."""
        while True:
            await anyio.sleep(SWEEP)
            late = self._clock.monotonic() - SWEEP
            for handed in [each for each in self._handed.values() if each.delivery.envelope.deadline < late]:
                self._fail(handed, ExpiredError(f"no answer from {handed.delivery.envelope.to} before the deadline"))

    def opened(self, connection: Connection) -> None:
        self._connection = connection
        if not self._opening.done():
            self._opening.set_result(None)
        for handed in [*self._handed.values()]:
            self._send(handed)
        self._advance()

    def received(self, connection: Connection, frame: Frame) -> None:
        match frame:
            case Piece(number, piece):
                if handed := self._handed.get(number):
                    handed.delivery.emit(piece)
            case Accepted(number):
                if handed := self._handed.get(number):
                    self._accept(handed)
            case Ended(number, outcome):
                if handed := self._handed.get(number):
                    self._accept(handed)
                    self._forget(handed)
                    handed.delivery.end(unpack_outcome(outcome))
            case Refused():
                self._refused(frame)
            case Reply(number, result):
                if (answer := self._asked.get(number)) and not answer.done():
                    answer.set_result(result)
            case _:
                raise JointError(f"found {type(frame).__name__}, which is no answer")

    def resumed(self, connection: Connection) -> None:
        self._advance()

    def lost(self, connection: Connection, error: JointError) -> None:
        self._connection = None
        for future in (self._opening, *self._asked.values()):
            if not future.done():
                future.set_exception(error)
        if not self._broken.done():
            self._broken.set_result(error)

    def _advance(self) -> None:
        """Hand over what waits in line, as far as there is room."""
        crowded = self._connection is not None and self._connection.crowded
        while self._line and len(self._unaccepted) < self._bounds.window and not crowded:
            handed = self._line.popleft()
            if not handed.accepted.done():
                self._handed[handed.number] = handed
                self._unaccepted.add(handed.number)
                self._send(handed)
                crowded = self._connection is not None and self._connection.crowded

    def _send(self, handed: Handed) -> None:
        if self._connection is None:
            return
        delivery = handed.delivery
        envelope = pack_envelope(delivery.envelope, self._clock)
        try:
            self._connection.send(Deliver(handed.number, envelope, delivery.streamed, delivery.again))
            delivery.again = True  # if ever it is handed over once more
        except JointError as error:
            self._fail(handed, FailedError(str(error)))

    def _refused(self, frame: Refused) -> None:
        error = unpack_outcome(frame.fault).error or FailedError("the other process gives no reason")
        if frame.leaving and not self._lasting:
            error = JointError(str(error))
        if (answer := self._asked.get(frame.number)) and not answer.done():
            answer.set_exception(error)
        if handed := self._handed.get(frame.number):
            self._fail(handed, error)

    def _expire(self, handed: Handed) -> None:
        to = handed.delivery.envelope.to
        self._fail(handed, ExpiredError(f"the process that is home to {to} did not take the message in time"))

    def _fail(self, handed: Handed, error: ClawmeshError) -> None:
        """End a delivery; whoever still waits for it to be accepted hears the error, and nobody else has to."""
        if not handed.accepted.done():
            handed.accepted.set_exception(error)
            return
        self._forget(handed)
        handed.delivery.end(Outcome(Ending.FAILED, error=error))

    def _accept(self, handed: Handed) -> None:
        if not handed.accepted.done():
            handed.accepted.set_result(None)
        if handed.delivery.envelope.kind == "send":
            self._forget(handed)  # its outcome is for nobody on this side
            return
        self._unaccepted.discard(handed.number)
        self._advance()

    def _forget(self, handed: Handed) -> None:
        self._by_delivery.pop(handed.delivery, None)
        self._handed.pop(handed.number, None)
        self._unaccepted.discard(handed.number)
        self._advance()


@asynccontextmanager
async def open_joint(path: Path, clock: Clock, *, lasting: bool, bounds: Bounds = BOUNDS) -> AsyncIterator[SocketJoint]:
    """Open a joint to the process that listens at `path`.

    A lasting one needs nobody to listen yet, and mends itself whenever it breaks; another one ends all that is under
    way with a JointError.

    Raises:
        JointError: nobody answers there.
    """
    joint = SocketJoint(path, clock, bounds, lasting=lasting)
    if not lasting:
        await joint.connect()
    try:
        async with beside(*((joint.mend, joint.sweep) if lasting else (joint.watch,))):
            yield joint
    finally:
        joint.close(FailedError("the mesh is closed"))
