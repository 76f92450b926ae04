"""The mesh engine: delivers envelopes to sessions, one at a time each, all sessions side by side.

A session is virtual: it has no task and no mailbox while nothing waits for it. Pump tasks are pooled; one is lent to
a session from its first envelope until its mailbox is empty. Inside are deques and futures; cancel scopes and
deadlines stand at the edges, around what a handler awaits.
"""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias

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
from clawmesh.messages import Emit, Message, Piece, Report

Handler: TypeAlias = Callable[["Engine", Delivery], Awaitable[tuple[Message, Report]]]
PARKED_PUMPS = 256
CLOSED = Outcome(Ending.DEAD, error=FailedError("the mesh was closed before the answer"))


class Observer(Protocol):
    """Sees what goes through the engine, as it happens; must return at once and never raise."""

    def accepted(self, envelope: Envelope) -> None: ...

    def piece(self, envelope: Envelope, piece: Piece) -> None: ...

    def ended(self, envelope: Envelope, outcome: Outcome) -> None: ...


class Engine:
    """Made by `open_engine`. `agents` maps each known agent to the topics that it follows."""

    def __init__(
        self, handler: Handler, agents: Mapping[str, tuple[str, ...]], settings: MeshSettings, clock: Clock, ids: Ids
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
        self._mailboxes: dict[Address, Mailbox] = {}
        self._parked: list[Future[tuple[Address, Mailbox]]] = []
        self._observers: list[Observer] = []
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
                for mailbox in self._mailboxes.values():
                    for delivery in mailbox.queue:
                        delivery.end(CLOSED)
        if failure is not None:
            raise failure

    def watch(self, observer: Observer) -> None:
        self._observers.append(observer)

    def followers(self, topic: str) -> Sequence[str]:
        return self._followers.get(topic, ())

    async def ask(
        self, to: Address, message: Message, *, sender: str, seconds: float | None = None, emit: Emit | None = None
    ) -> Outcome:
        """Deliver a message from outside and return how it ended; pieces of the answer go to `emit` as they come."""
        envelope = Envelope(
            id=self.ids.new("env"),
            sender=sender,
            to=to,
            kind="ask",
            message=message,
            deadline=self.clock.monotonic() + (seconds or self.settings.deadline),
        )
        return await self.conclude(await self.post(envelope, emit))

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
        if mailbox.full:
            await self._room(mailbox, envelope)
        outcome: Future[Outcome] = get_running_loop().create_future()
        delivery = Delivery(envelope, outcome, self._emitter(envelope, emit))
        mailbox.queue.append(delivery)
        for observer in self._observers:
            observer.accepted(envelope)
        if not mailbox.active:
            self._activate(envelope.to, mailbox)
        return delivery

    async def conclude(self, delivery: Delivery) -> Outcome:
        """Wait for the outcome until the envelope's deadline; leaving early ends the work for it."""
        outcome: Outcome | None = None
        try:
            with anyio.move_on_after(delivery.envelope.deadline - self.clock.monotonic()):
                outcome = await delivery.outcome
        finally:
            if outcome is None:
                delivery.cancel()
        if outcome is None:
            error = ExpiredError(f"no answer from {delivery.envelope.to} before the deadline")
            outcome = Outcome(Ending.EXPIRED, error=error)
        return outcome

    def check(self, agent: str) -> None:
        """Raise UsageError, naming the nearest one, if there is no such agent."""
        if agent not in self._agents:
            raise UsageError(f'there is no agent "{agent}"{did_you_mean(agent, self._agents, otherwise="there are")}')

    def _admit(self, envelope: Envelope) -> None:
        name = envelope.to.agent
        self.check(name)
        if self._tasks is None:
            raise FailedError("the mesh is closed")
        if any(address.agent == name for address in envelope.waiting):
            ring = " → ".join([*(address.agent for address in envelope.waiting), name])
            raise RingError(f"{name} cannot be asked: it waits for this very answer ({ring})")
        if len(envelope.causes) >= self.settings.hops:
            raise LimitError(
                f"{len(envelope.causes)} messages led to this one; [mesh] hops allows no more", limit="hops"
            )

    async def _room(self, mailbox: Mailbox, envelope: Envelope) -> None:
        with anyio.move_on_after(envelope.deadline - self.clock.monotonic()):
            while mailbox.full:
                room: Future[None] = get_running_loop().create_future()
                mailbox.waiting.append(room)
                await room
            return
        raise FullError(f"the mailbox of {envelope.to} stayed full ({mailbox.bound} messages) until the deadline")

    def _emitter(self, envelope: Envelope, emit: Emit | None) -> Emit:
        def forward(piece: Piece) -> None:
            for observer in self._observers:
                observer.piece(envelope, piece)
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
            if mailbox.idle:
                del self._mailboxes[address]
            if len(self._parked) >= PARKED_PUMPS:
                return
            work: Future[tuple[Address, Mailbox]] = get_running_loop().create_future()
            self._parked.append(work)
            address, mailbox = await work

    async def _deliver(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        remaining = envelope.deadline - self.clock.monotonic()
        outcome = CLOSED
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + remaining) as delivery.scope:
                if delivery.cancelled:
                    delivery.scope.cancel()
                outcome = await self._handle(delivery)
            if delivery.scope.cancelled_caught:
                outcome = _interrupted(envelope, self.clock.monotonic())
        finally:
            delivery.scope = None
            delivery.end(outcome)
            for observer in self._observers:
                observer.ended(envelope, outcome)

    async def _handle(self, delivery: Delivery) -> Outcome:
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            message, report = await self._handler(self, delivery)
        except RefusedError as error:
            return Outcome(Ending.REFUSED, error=error)
        except ClawmeshError as error:
            return Outcome(Ending.FAILED, error=error)
        except Exception as error:  # noqa: BLE001 - a coded agent may raise anything; one turn fails, the mesh goes on
            failure = FailedError(f"{delivery.envelope.to} raised {type(error).__name__}: {error}")
            failure.__cause__ = error
            return Outcome(Ending.FAILED, error=failure)
        return Outcome(Ending.ANSWERED, message, report)


def _interrupted(envelope: Envelope, now: float) -> Outcome:
    if now >= envelope.deadline:
        return Outcome(Ending.EXPIRED, error=ExpiredError(f"{envelope.to} did not finish before the deadline"))
    return Outcome(Ending.DEAD, error=ExpiredError(f"nobody waits any more for the answer of {envelope.to}"))


@asynccontextmanager
async def open_engine(
    handler: Handler, agents: Mapping[str, tuple[str, ...]], settings: MeshSettings, clock: Clock, ids: Ids
) -> AsyncIterator[Engine]:
    """Open an engine that gives each delivery to `handler`."""
    async with Engine(handler, agents, settings, clock, ids).running() as engine:
        yield engine
