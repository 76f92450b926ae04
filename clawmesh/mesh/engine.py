"""The mesh engine: delivers envelopes to sessions, one at a time each, all sessions side by side.

A session is virtual: it has no task and no mailbox while nothing waits for it. Pump tasks are pooled; one is lent to
a session from its first envelope until its mailbox is empty. Inside are deques and futures; cancel scopes and
deadlines stand at the edges, around what a handler awaits.
"""

from __future__ import annotations

import math
from asyncio import CancelledError, Future, get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import anyio
from anyio.abc import TaskGroup

from clawmesh.clock import Clock
from clawmesh.config.model import MeshSettings
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import (
    ClawmeshError,
    ExpiredError,
    FailedError,
    FullError,
    LimitError,
    RefusedError,
    RingError,
    UsageError,
)
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.mailbox import Mailbox
from clawmesh.mesh.observer import Observer, Observers
from clawmesh.mesh.wait import Waits
from clawmesh.messages import Emit, Message, Piece, Report

Handler: TypeAlias = Callable[["Engine", Delivery], Awaitable[tuple[Message, Report]]]
PARKED_PUMPS = 256
CLOSED = Outcome(Ending.DEAD, error=FailedError("the mesh was closed before the answer"))


class Engine:
    """Made by `open_engine`. `agents` maps each known agent to the topics that it follows."""

    def __init__(
        self,
        handler: Handler,
        agents: Mapping[str, tuple[str, ...]],
        settings: MeshSettings,
        clock: Clock,
        ids: Ids,
        warn: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.ids = ids
        self._agents = agents
        self._followers: dict[str, list[str]] = {}
        for agent, topics in agents.items():
            for topic in topics:
                self._followers.setdefault(topic, []).append(agent)
        self._handler = handler
        self._warn = warn
        self._mailboxes: dict[Address, Mailbox] = {}
        self._parked: list[Future[tuple[Address, Mailbox]]] = []
        self._observers = Observers(warn)
        self._waits = Waits()
        self._under_way = 0
        self._drained: list[Future[None]] = []
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Deliver until the block ends; then whatever still runs is cancelled."""
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield self
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
                failure = error
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()
                self._close()
        if failure is not None:
            raise failure

    def watch(self, observer: Observer) -> None:
        self._observers.add(observer)

    def followers(self, topic: str) -> Sequence[str]:
        return self._followers.get(topic, ())

    async def ask(
        self, to: Address, message: Message, *, sender: str, seconds: float | None = None, emit: Emit | None = None
    ) -> Outcome:
        """Deliver a message from outside and return how it ended; pieces of the answer go to `emit` as they come.

        Raises:
            UsageError: there is no such agent, or `seconds` is no time.
        """
        deadline = self.until(seconds)
        id = self.ids.new("env")
        return await self.request(
            Envelope(id=id, sender=sender, to=to, kind="ask", message=message, deadline=deadline), emit
        )

    async def request(self, envelope: Envelope, emit: Emit | None = None) -> Outcome:
        """Deliver an envelope and wait for its outcome until its deadline; leaving early ends the work for it.

        Raises as `post` does, and RingError where the receiver waits for the asker.
        """
        if not envelope.waiting:
            return await self._conclude(await self.post(envelope, emit))
        asker = envelope.waiting[-1]
        self._waits.add(asker, envelope.to)
        try:
            return await self._conclude(await self.post(envelope, emit))
        finally:
            self._waits.remove(asker, envelope.to)

    async def post(self, envelope: Envelope, emit: Emit | None = None) -> Delivery:
        """Accept an envelope into its session's mailbox, waiting for room until its deadline.

        Raises:
            UsageError: there is no such agent.
            RingError: the receiver's agent already waits for the answer.
            LimitError: more envelopes led to this one than `[mesh] hops` allows.
            FullError: the mailbox had no room before the deadline.
        """
        self._admit(envelope)
        mailbox = self._mailboxes.get(envelope.to)
        if mailbox is None:
            mailbox = self._mailboxes[envelope.to] = Mailbox(self.settings.mailbox)
        reserved = mailbox.full
        if reserved:
            await self._room(mailbox, envelope)
        outcome: Future[Outcome] = get_running_loop().create_future()
        delivery = Delivery(envelope, outcome, self._emitter(envelope, emit))
        mailbox.put(delivery, reserved=reserved)
        self._under_way += 1
        self._observers.accepted(envelope)
        if not mailbox.active:
            self._activate(envelope.to, mailbox)
        return delivery

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        if self._under_way:
            drained: Future[None] = get_running_loop().create_future()
            self._drained.append(drained)
            await drained

    @property
    def under_way(self) -> int:
        """How many envelopes have no outcome yet."""
        return self._under_way

    def until(self, seconds: float | None) -> float:
        """Return the deadline that is so many seconds away, by default as `[mesh] deadline` says.

        Raises:
            UsageError: that is no time.
        """
        if seconds is None:
            seconds = self.settings.deadline
        if not (math.isfinite(seconds) and seconds > 0):
            raise UsageError(f"{seconds} s is no time to wait; expected a number above 0")
        return self.clock.monotonic() + seconds

    def check(self, agent: str) -> None:
        """Raise UsageError, naming the nearest one, if there is no such agent."""
        if agent not in self._agents:
            raise UsageError(f'there is no agent "{agent}"{did_you_mean(agent, self._agents, otherwise="there are")}')

    async def _conclude(self, delivery: Delivery) -> Outcome:
        outcome: Outcome | None = None
        try:
            with anyio.move_on_after(delivery.envelope.deadline - self.clock.monotonic()):
                outcome = await delivery.outcome
        finally:
            if outcome is None:
                self._abandon(delivery)
        if outcome is None:
            error = ExpiredError(f"no answer from {delivery.envelope.to} before the deadline")
            outcome = Outcome(Ending.EXPIRED, error=error)
        return outcome

    def _abandon(self, delivery: Delivery) -> None:
        if delivery.scope is not None:
            delivery.scope.cancel()
        elif not delivery.ended:
            self._mailboxes[delivery.envelope.to].drop(delivery)
            self._end(delivery, _interrupted(delivery.envelope, self.clock.monotonic()))

    def _admit(self, envelope: Envelope) -> None:
        name = envelope.to.agent
        self.check(name)
        if self._tasks is None:
            raise FailedError("the mesh is closed")
        if any(address.agent == name for address in envelope.waiting):
            ring = " → ".join([*(address.agent for address in envelope.waiting), name])
            raise RingError(f"{name} cannot be asked: it waits for this very answer ({ring})")
        if len(envelope.causes) >= self.settings.hops:
            led = len(envelope.causes)
            raise LimitError(f"{led} messages led to this one; [mesh] hops allows no more", limit="hops")

    async def _room(self, mailbox: Mailbox, envelope: Envelope) -> None:
        """Wait in line; on return a place is reserved."""
        room: Future[None] = get_running_loop().create_future()
        mailbox.waiting.append(room)
        came = False
        try:
            with anyio.move_on_after(envelope.deadline - self.clock.monotonic()):
                await room
                came = True
        finally:
            if not came:
                self._leave(mailbox, room, envelope.to)
        if not came:
            raise FullError(f"the mailbox of {envelope.to} stayed full ({mailbox.bound} messages) until the deadline")

    def _leave(self, mailbox: Mailbox, room: Future[None], address: Address) -> None:
        if room in mailbox.waiting:
            mailbox.waiting.remove(room)
        elif room.done() and not room.cancelled() and room.exception() is None:
            mailbox.give_back()  # the turn came in the very moment of leaving
        self._tidy(address, mailbox)

    def _emitter(self, envelope: Envelope, emit: Emit | None) -> Emit:
        def forward(piece: Piece) -> None:
            self._observers.piece(envelope, piece)
            if emit is not None:
                emit(piece)

        return forward

    def _activate(self, address: Address, mailbox: Mailbox) -> None:
        mailbox.active = True
        while self._parked:
            pump = self._parked.pop()
            if not pump.done():
                pump.set_result((address, mailbox))
                return
        assert self._tasks is not None  # or the envelope would not have been admitted
        self._tasks.start_soon(self._pump, address, mailbox)

    async def _pump(self, address: Address, mailbox: Mailbox) -> None:
        while True:
            while mailbox.queue:
                await self._deliver(mailbox.take())
            mailbox.active = False
            self._tidy(address, mailbox)
            if len(self._parked) >= PARKED_PUMPS:
                return
            work: Future[tuple[Address, Mailbox]] = get_running_loop().create_future()
            self._parked.append(work)
            address, mailbox = await work

    def _tidy(self, address: Address, mailbox: Mailbox) -> None:
        if mailbox.idle and self._mailboxes.get(address) is mailbox:
            del self._mailboxes[address]

    async def _deliver(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        remaining = envelope.deadline - self.clock.monotonic()
        outcome = CLOSED
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + remaining) as delivery.scope:
                outcome = await self._handle(delivery)
            if delivery.scope.cancelled_caught:
                outcome = _interrupted(envelope, self.clock.monotonic())
        finally:
            delivery.scope = None
            self._end(delivery, outcome)

    def _end(self, delivery: Delivery, outcome: Outcome) -> None:
        delivery.end(outcome)
        envelope = delivery.envelope
        self._observers.ended(envelope, outcome)
        if envelope.kind == "send" and outcome.ending is not Ending.ANSWERED:
            # Nobody waits for this outcome, so nobody else would say it.
            self._warn(f"what {envelope.sender} sent to {envelope.to} {outcome.ending}: {outcome.error}")
        self._under_way -= 1
        if not self._under_way:
            for drained in self._drained:
                if not drained.done():
                    drained.set_result(None)
            self._drained.clear()

    async def _handle(self, delivery: Delivery) -> Outcome:
        to = delivery.envelope.to
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            message, report = await self._handler(self, delivery)
        except RefusedError as error:
            return Outcome(Ending.REFUSED, error=error)
        except ClawmeshError as error:
            return Outcome(Ending.FAILED, error=error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a coded agent may raise anything; the mesh goes on
            failure = FailedError(f"{to} raised {type(error).__name__}: {error}")
            failure.__cause__ = error
            return Outcome(Ending.FAILED, error=failure)
        except CancelledError:
            # Ours goes on from here; one that a task of the agent's own was cancelled with is that agent's failure.
            await anyio.lowlevel.checkpoint_if_cancelled()
            return Outcome(Ending.FAILED, error=FailedError(f"{to} raised CancelledError"))
        return Outcome(Ending.ANSWERED, message, report)

    def _close(self) -> None:
        """End what no pump will take any more."""
        for mailbox in self._mailboxes.values():
            mailbox.close(FailedError("the mesh is closed"))
            while mailbox.queue:
                self._end(mailbox.queue.popleft(), CLOSED)


def _interrupted(envelope: Envelope, now: float) -> Outcome:
    if now >= envelope.deadline:
        return Outcome(Ending.EXPIRED, error=ExpiredError(f"{envelope.to} did not finish before the deadline"))
    return Outcome(Ending.DEAD, error=ExpiredError(f"nobody waits any more for the answer of {envelope.to}"))


@asynccontextmanager
async def open_engine(
    handler: Handler,
    agents: Mapping[str, tuple[str, ...]],
    settings: MeshSettings,
    clock: Clock,
    ids: Ids,
    warn: Callable[[str], None],
) -> AsyncIterator[Engine]:
    """Open an engine that gives each delivery to `handler`; `warn` hears what nobody else would."""
    async with Engine(handler, agents, settings, clock, ids, warn).running() as engine:
        yield engine
