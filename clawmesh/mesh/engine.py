"""The mesh engine: delivers envelopes to sessions, one at a time each, all sessions side by side.

A session is virtual: it has no task and no mailbox while nothing waits for it. Inside are deques and futures; cancel
scopes stand at the edges, around what a handler awaits. Everything that is accepted, and how it ended, is in the
journal; who is outside hears of it when it is on disk, who is inside goes on at once, since what follows is written
after it.
"""

from __future__ import annotations

import math
from asyncio import CancelledError, get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

import anyio
from msgspec import Struct
from msgspec.structs import replace

from clawmesh.abc.journal import Journal, Kind
from clawmesh.clock import Clock
from clawmesh.config.model import MeshSettings
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import (
    BusyError,
    FailedError,
    LimitError,
    RingError,
    StorageError,
    UnknownError,
    UsageError,
)
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.ending import CLOSED, expire, interrupted
from clawmesh.mesh.envelope import Ending, Envelope, Outcome, Wishes
from clawmesh.mesh.gate import Gate
from clawmesh.mesh.handling import outcome_of
from clawmesh.mesh.log import Log
from clawmesh.mesh.mailbox import Mailbox, Mailboxes
from clawmesh.mesh.observer import Observer, Observers
from clawmesh.mesh.pump import Pumps
from clawmesh.mesh.recovery import recover
from clawmesh.mesh.register import Register
from clawmesh.mesh.route import Route, here
from clawmesh.mesh.wait import Waits
from clawmesh.messages import Emit, Message, Report
from clawmesh.wheel import Wheel

Handler: TypeAlias = Callable[["Engine", Delivery], Awaitable[tuple[Message, Report]]]


class Means(Struct, frozen=True):
    """What an engine works with; `warn` hears what nobody else would, `route` says where sessions live."""

    clock: Clock
    ids: Ids
    journal: Journal
    warn: Callable[[str], None]
    route: Route = here


class Engine:
    """Made by `open_engine`. `agents` maps each known agent to the topics that it follows."""

    def __init__(
        self, handler: Handler, agents: Mapping[str, tuple[str, ...]], settings: MeshSettings, means: Means
    ) -> None:
        self.settings = settings
        self.clock = means.clock
        self.ids = means.ids
        self.log = Log(means.journal, means.clock, means.warn)
        self.gate = Gate()
        self._route = means.route
        self.warn = means.warn
        self._agents = agents
        self._followers = _followers(agents)
        self._handler = handler
        self._mailboxes = Mailboxes(settings.mailbox)
        self._live = Register(settings.fanout)
        self._pumps = Pumps(self._deliver, self._mailboxes.tidy, self.gate)
        self._wheel = Wheel(means.clock.monotonic)
        self._observers = Observers(means.warn)
        self.waits = Waits()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Resume what the journal holds, and deliver until the block ends; what still runs then stays in the journal.

        Raises:
            StorageError: the journal cannot be read.
        """
        pending = await self.log.pending()
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            self._pumps.start(tasks)
            tasks.start_soon(self._wheel.run)
            try:
                await recover(pending, self.clock, self)
                yield self
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
                failure = error
            finally:
                self._pumps.stop()
                tasks.cancel_scope.cancel()
                self._close()
        if failure is not None:
            raise failure

    def adopt(self, agents: Mapping[str, tuple[str, ...]], settings: MeshSettings) -> None:
        """Know these agents and keep to these settings from now on; what is under way goes on."""
        self.settings = settings
        self._agents = agents
        self._followers = _followers(agents)
        self._mailboxes.bound = settings.mailbox
        self._live.cascades.ceiling = settings.fanout

    def watch(self, observer: Observer) -> None:
        self._observers.add(observer)

    def followers(self, topic: str) -> Sequence[str]:
        return self._followers.get(topic, ())

    async def ask(
        self,
        to: Address,
        message: Message,
        *,
        sender: str,
        seconds: float | None = None,
        emit: Emit | None = None,
        key: str = "",
        wishes: Wishes | None = None,
    ) -> Outcome:
        """Deliver a message from outside and return how it ended, once that is on disk.

        Pieces of the answer go to `emit` as they come. What comes twice with the same `key` from one sender to one
        session is done once; it goes on when the caller leaves.

        Raises:
            UsageError: there is no such agent, or `seconds` is no time.
            BusyError: the mesh lets nothing in at present.
            StorageError: the journal cannot be written.
        """
        delivery = await self.begin(to, message, sender=sender, seconds=seconds, emit=emit, key=key, wishes=wishes)
        return await self.settled(delivery, emit)

    async def begin(
        self,
        to: Address,
        message: Message,
        *,
        sender: str,
        seconds: float | None = None,
        emit: Emit | None = None,
        key: str = "",
        wishes: Wishes | None = None,
    ) -> Delivery:
        """Do the first half of `ask`: let a message in from outside; what comes of it is for `settled`.

        Raises as `ask` does.
        """
        envelope = self._from_outside("ask", to, message, sender, seconds, key)
        return await self.receive(replace(envelope, wishes=wishes) if wishes else envelope, emit)

    async def send(
        self, to: Address, message: Message, *, sender: str, seconds: float | None = None, key: str = ""
    ) -> str:
        """Deliver a message from outside that expects no answer; return its id, once it is on disk.

        Raises as `ask` does.
        """
        delivery = await self.receive(self._from_outside("send", to, message, sender, seconds, key))
        await self.kept(delivery)
        return delivery.envelope.id

    async def receive(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Delivery:
        """Let an envelope in from outside of this process, unless it is here already, by its id or by its key.

        `again` says that it may have been handed over before, in the life of an earlier process too.

        Raises as `post` does, and BusyError while nothing is let in.
        """
        await self.gate.enter(envelope.deadline - self.clock.monotonic())
        return await self.take(envelope, emit, again=again)

    async def take(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Delivery:
        """Return the delivery of an envelope that may be known already; one that has ended has its outcome."""
        known = self._live.known(envelope)
        if known is None and not (again or envelope.key):
            return await self.post(envelope, emit)
        if known is None:
            async with self._live.alone(envelope, envelope.deadline - self.clock.monotonic()):
                known = self._live.known(envelope) or await self.log.remembered(envelope)
                if known is None:
                    return await self.post(envelope, emit, again=again)
        if not (known.accepted or known.story):
            raise BusyError(f"the same message waits for room in the mailbox of {envelope.to} already")
        known.attach(emit)
        return known

    async def request(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Outcome:
        """Deliver an envelope and wait for its outcome until its deadline; leaving early ends the work for it.

        Raises as `post` does, and RingError where the receiver waits for the asker.
        """
        if not envelope.waiting:
            return await self._conclude(await self.take(envelope, emit, again=again), emit)
        asker = envelope.waiting[-1]
        self.waits.add(asker, envelope.to)
        try:
            return await self._conclude(await self.take(envelope, emit, again=again), emit)
        finally:
            self.waits.remove(asker, envelope.to)

    async def post(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Delivery:
        """Accept an envelope into its session's mailbox, waiting for room until its deadline.

        Raises:
            UsageError: there is no such agent.
            RingError: the receiver's agent already waits for the answer.
            LimitError: more envelopes led to this one than `[mesh] hops` allows, or came of one than `fanout` does.
            FullError: the mailbox had no room before the deadline.
            StorageError: the journal cannot be written.
        """
        self._admit(envelope)
        delivery = Delivery(envelope, emit)
        if joint := self._route(envelope.to):
            delivery.joint, delivery.again = joint, again
            await joint.deliver(delivery)
            return delivery
        mailbox, reserved = self._mailboxes.get(envelope.to), False
        if mailbox.full:
            self._live.enter(delivery)
            try:
                await self._mailboxes.room(envelope.to, envelope.deadline - self.clock.monotonic())
            finally:
                self._live.exit(envelope)
            reserved = True
        self._accept(delivery, mailbox, reserved=reserved)
        return delivery

    async def kept(self, delivery: Delivery) -> None:
        """Wait until an envelope is on disk, as one that another process has is; leaving early ends the work for it.

        Raises:
            StorageError: it never will be.
        """
        if delivery.accepted:
            try:
                await self.log.durable(delivery.accepted, delivery.envelope)
            except BaseException:
                if not (delivery.awaited or delivery.detached or delivery.outcome):
                    self._abandon(delivery)
                raise

    async def settled(self, delivery: Delivery, emit: Emit | None = None) -> Outcome:
        """Wait for an outcome until it is on disk, or the deadline passes; leaving early ends the work for it.

        Raises:
            StorageError: it never will be on disk.
        """
        outcome = await self._conclude(delivery, emit)
        if delivery.recorded:
            await self.log.durable(delivery.recorded, delivery.envelope)
        return outcome

    async def cancel(self, id: str) -> bool:
        """Stop what is under way, whoever waits for it, and return when that is on disk.

        False where nothing of that id is under way in this process.

        Raises:
            StorageError: it never will be on disk.
        """
        delivery = self._live.find(id)
        if delivery is None or not (delivery.accepted or delivery.story):
            return False
        delivery.withdrawn = True
        self._abandon(delivery)
        await self.settled(delivery)
        return True

    def offer(self, envelope: Envelope) -> Delivery | None:
        """Accept an envelope at once, or return None where that takes waiting; raises as `post` does."""
        self._admit(envelope)
        if self._route(envelope.to) is not None:
            return None
        mailbox = self._mailboxes.get(envelope.to)
        if mailbox.full:
            return None
        delivery = Delivery(envelope)
        self._accept(delivery, mailbox, reserved=False)
        return delivery

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        await self._live.empty()

    @property
    def under_way(self) -> int:
        """How many envelopes have no outcome yet."""
        return len(self._live)

    def busy(self, address: Address) -> bool:
        """Whether anything of a session is under way."""
        return address in self._mailboxes

    def at_work(self) -> Iterator[Address]:
        """Yield the sessions of which anything is under way."""
        return iter(self._mailboxes)

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
        """Raise UnknownError, naming the nearest one, if there is no such agent."""
        if agent not in self._agents:
            raise UnknownError(f'there is no agent "{agent}"{did_you_mean(agent, self._agents, otherwise="there are")}')

    def resume(self, delivery: Delivery) -> None:
        """Put an envelope that was accepted before back into its mailbox, where it rests until `release`."""
        try:
            self.check(delivery.envelope.to.agent)
        except UsageError as error:
            self.bury(delivery, FailedError(str(error)))
            return
        self._live.enter(delivery)
        self._queue(delivery, self._mailboxes.get(delivery.envelope.to), reserved=False)

    def release(self, delivery: Delivery) -> None:
        """Let a pump have the mailbox that an envelope was put back into, unless one has it or it is empty."""
        to = delivery.envelope.to
        mailbox = self._mailboxes.get(to)
        if mailbox.active:
            return
        if mailbox.queue:
            self._pumps.lend(to, mailbox)
        else:
            self._mailboxes.tidy(to, mailbox)

    def acquit(self, delivery: Delivery) -> None:
        """Note that its tries so far do not count."""
        self.log.note(Kind.RELEASED, delivery.envelope.id)

    def bury(self, delivery: Delivery, reason: FailedError) -> None:
        """End an envelope that is not to be handled any more."""
        self._live.enter(delivery)
        self._end(delivery, Outcome(Ending.DEAD, error=reason))

    def _from_outside(
        self, kind: Literal["ask", "send"], to: Address, message: Message, sender: str, seconds: float | None, key: str
    ) -> Envelope:
        deadline = self.until(seconds)
        id = self.ids.new("env")
        return Envelope(id=id, sender=sender, to=to, kind=kind, message=message, deadline=deadline, key=key)

    async def _conclude(self, delivery: Delivery, emit: Emit | None) -> Outcome:
        if delivery.outcome is not None:
            return delivery.outcome
        waiter = delivery.waiter()
        left = delivery.envelope.deadline - self.clock.monotonic()
        timer = get_running_loop().call_later(max(0.0, left), expire, waiter, delivery.envelope)
        try:
            return await waiter
        finally:
            timer.cancel()
            if delivery.leave(waiter, emit):
                self._abandon(delivery)

    def _abandon(self, delivery: Delivery) -> None:
        if not self._pumps.running:
            return  # those who waited are closed over themselves, and will ask for it again
        if delivery.joint is not None:
            delivery.joint.abandon(delivery)
        elif delivery.scope is not None:
            delivery.scope.cancel()
        elif delivery.outcome is None:
            self._mailboxes.get(delivery.envelope.to).drop(delivery)
            self._end(delivery, self._interrupted(delivery))

    def _interrupted(self, delivery: Delivery) -> Outcome:
        return interrupted(delivery.envelope, self.clock.monotonic(), withdrawn=delivery.withdrawn)

    def _admit(self, envelope: Envelope) -> None:
        name = envelope.to.agent
        self.check(name)
        if not self._pumps.running:
            if envelope.causes:
                # Whoever says this from inside is being cancelled: a failure would be recorded, and this is none.
                raise CancelledError
            raise BusyError("the mesh is closed")
        if envelope.waiting and any(address.agent == name for address in envelope.waiting):
            ring = " → ".join([*(address.agent for address in envelope.waiting), name])
            raise RingError(f"{name} cannot be asked: it waits for this very answer ({ring})")
        if len(envelope.causes) >= self.settings.hops:
            led = len(envelope.causes)
            raise LimitError(f"{led} messages led to this one; [mesh] hops allows no more", limit="hops")
        self._live.cascades.check(envelope)
        self.log.check()

    def _accept(self, delivery: Delivery, mailbox: Mailbox, *, reserved: bool) -> None:
        to = delivery.envelope.to
        try:
            self.log.accepted(delivery)
        except StorageError:
            mailbox.give_back(reserved=reserved)
            self._mailboxes.tidy(to, mailbox)
            raise
        self._live.enter(delivery)
        self._queue(delivery, mailbox, reserved=reserved)
        if not mailbox.active:
            self._pumps.lend(to, mailbox)

    def _queue(self, delivery: Delivery, mailbox: Mailbox, *, reserved: bool) -> None:
        delivery.overdue = self._abandon
        delivery.observers = self._observers
        self._wheel.watch(delivery, delivery.envelope.deadline)
        mailbox.put(delivery, reserved=reserved)
        self._observers.accepted(delivery.envelope)

    async def _deliver(self, delivery: Delivery, scope: anyio.CancelScope) -> None:
        outcome = CLOSED
        delivery.taken = self.clock.now()
        try:
            if (now := self.clock.monotonic()) >= delivery.envelope.deadline:
                outcome = interrupted(delivery.envelope, now)
            else:
                delivery.scope = scope
                outcome = await outcome_of(delivery, self._answer)
        finally:
            delivery.scope = None
            if outcome is CLOSED and scope.cancel_called:
                outcome = self._interrupted(delivery)
            self._end(delivery, outcome)

    async def _answer(self, delivery: Delivery) -> tuple[Message, Report]:
        await self.log.taken(delivery)
        return await self._handler(self, delivery)

    def _end(self, delivery: Delivery, outcome: Outcome) -> None:
        envelope = delivery.envelope
        outcome = self.log.ended(delivery, outcome)
        self._wheel.drop(delivery)
        self._live.exit(envelope)
        delivery.end(outcome)
        self._observers.ended(envelope, outcome)

    def _close(self) -> None:
        """Release what no pump will take any more."""
        for delivery in self._mailboxes.close(BusyError("the mesh is closed")):
            self._end(delivery, CLOSED)


def _followers(agents: Mapping[str, tuple[str, ...]]) -> Mapping[str, Sequence[str]]:
    """Return for each topic the agents that follow it."""
    followers: dict[str, list[str]] = {}
    for agent, topics in agents.items():
        for topic in topics:
            followers.setdefault(topic, []).append(agent)
    return followers


@asynccontextmanager
async def open_engine(
    handler: Handler, agents: Mapping[str, tuple[str, ...]], settings: MeshSettings, means: Means
) -> AsyncIterator[Engine]:
    """Open an engine that gives each delivery to `handler`, and resume what its journal holds.

    Raises:
        StorageError: the journal cannot be read.
    """
    async with Engine(handler, agents, settings, means).running() as engine:
        yield engine
