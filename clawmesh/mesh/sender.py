"""The mesh as one session sees it while it handles an envelope."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

import anyio

from clawmesh.abc.context import Answer
from clawmesh.codec import whole
from clawmesh.errors import ClawmeshError, FailedError, MeshError, PeerError
from clawmesh.ids import derive
from clawmesh.mesh.address import SESSION, Address
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Envelope
from clawmesh.messages import Image, Message, Text

# Characters of a conversation's name that fit beside a digest.
LONGEST = 79


class Sender:
    """Implements `clawmesh.abc.context.Verbs` in the name of one session, limited to its agent's peers and topics."""

    def __init__(
        self, engine: Engine, received: Envelope, peers: Sequence[str], topics: Sequence[str], *, again: bool = False
    ) -> None:
        self._engine = engine
        self._received = received
        self._peers = peers
        self._topics = topics
        self._again = again
        self._key = ""
        self._made: dict[tuple[str, str, str], int] = {}

    def under(self, key: str) -> Sender:
        """Return the same for one action of the turn: its key tells its envelopes from those of other actions."""
        sender = Sender(self._engine, self._received, self._peers, self._topics, again=self._again)
        sender._key = key
        return sender

    async def ask(self, to: str, message: Message | str, *, seconds: float | None = None) -> Message:
        outcome = await self._engine.request(self._asking(self._resolve(to), message, seconds), again=self._again)
        if outcome.message is None:
            raise outcome.error or FailedError(f"{to} gave no answer")
        return outcome.message

    async def send(self, to: str, message: Message | str) -> str:
        delivery = await self._engine.take(
            self._envelope("send", self._resolve(to), message, None, ()), again=self._again
        )
        # Not waited for until it is on disk: whatever can be seen of it outside is written after it.
        return delivery.envelope.id

    async def publish(self, topic: str, message: Message | str) -> int:
        if topic not in self._topics:
            known = ", ".join(self._topics) or "none"
            raise PeerError(f"{self._received.to.agent} may not publish to {topic!r}; its topics: {known}")
        receivers = [agent for agent in self._engine.followers(topic) if agent != self._received.to.agent]
        missed: list[str] = []
        late: list[Envelope] = []
        for agent in receivers:
            envelope = self._envelope("send", self._address(agent), message, None, ())
            try:
                if self._again or self._engine.offer(envelope) is None:
                    late.append(envelope)
            except MeshError as error:
                missed.append(f"{agent}: {error}")

        async def one(envelope: Envelope) -> None:
            try:
                await self._engine.take(envelope, again=self._again)
            except MeshError as error:
                missed.append(f"{envelope.to.agent}: {error}")

        async with anyio.create_task_group() as tasks:
            for envelope in late:
                tasks.start_soon(one, envelope)
        if missed:
            raise FailedError(f"{len(missed)} of {len(receivers)} did not take it: {'; '.join(missed)}")
        return len(receivers)

    async def gather(
        self,
        to: Sequence[str],
        message: Message | str,
        *,
        mode: Literal["first", "all", "quorum"] = "all",
        seconds: float | None = None,
    ) -> list[Answer]:
        envelopes = [self._asking(self._resolve(name), message, seconds) for name in to]
        needed = {"first": min(1, len(to)), "quorum": len(to) // 2 + 1, "all": len(to)}[mode]
        answers: list[Answer] = []
        given = 0

        async def one(name: str, envelope: Envelope) -> None:
            nonlocal given
            try:
                outcome = await self._engine.request(envelope, again=self._again)
            except ClawmeshError as error:
                answers.append(Answer(name, error=str(error)))
                return
            answers.append(Answer(name, outcome.message, str(outcome.error or "")))
            given += outcome.message is not None
            if mode != "all" and given >= needed:
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for name, envelope in zip(to, envelopes, strict=True):
                tasks.start_soon(one, name, envelope)
        return sorted(answers, key=lambda answer: answer.message is None)

    def _asking(self, to: Address, message: Message | str, seconds: float | None) -> Envelope:
        return self._envelope("ask", to, message, seconds, (*self._received.waiting, self._received.to))

    def _envelope(
        self,
        kind: Literal["ask", "send"],
        to: Address,
        message: Message | str,
        seconds: float | None,
        waiting: tuple[Address, ...],
    ) -> Envelope:
        received = self._received
        until = self._engine.until(seconds)
        spoken = _spoken(message)
        return Envelope(
            id=self._id(kind, to, spoken),
            sender=str(received.to),
            to=to,
            kind=kind,
            message=spoken,
            # What is sent has a life of its own; what is asked must be answered while the asker still has time.
            deadline=until if kind == "send" else min(until, received.deadline),
            causes=(*received.causes, received.id),
            waiting=waiting,
        )

    def _id(self, kind: str, to: Address, message: Message) -> str:
        """Return the id that this very envelope has when the turn is run again after a crash."""
        action = (kind, str(to), message.text)
        before = self._made.get(action, 0)
        self._made[action] = before + 1
        return derive(self._received.id, "\0".join([self._key, *action, str(before)]))

    def _resolve(self, to: str) -> Address:
        agent = to.partition("/")[0]
        if agent not in self._peers and not any(fnmatchcase(agent, peer) for peer in self._peers):
            known = ", ".join(self._peers) or "none"
            raise PeerError(f"{self._received.to.agent} may not talk to {agent!r}; its peers: {known}")
        return Address.parse(to) if "/" in to else self._address(agent)

    def _address(self, agent: str) -> Address:
        """Return the receiver's session that belongs to this conversation, so that it remembers what was said in it."""
        own = self._received.to
        session = f"{own.agent}~{own.session}"
        if not SESSION.fullmatch(session):
            # The end tells the conversation, and by that the process that all of it lives in.
            digest, conversation = hashlib.sha256(session.encode()).hexdigest()[:48], session.rpartition("~")[-1]
            session = f"{digest}~{conversation}" if len(conversation) <= LONGEST else digest
        return Address(agent, session)


def _spoken(message: Message | str) -> Message:
    """Return what one agent says as what the other hears: its words and images, not its thoughts and calls."""
    if isinstance(message, str):
        return Message.user(message)
    return whole(Message("user", tuple(part for part in message.parts if isinstance(part, Text | Image))))
