"""The mesh as one session sees it while it handles an envelope."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

import anyio

from clawmesh.abc.context import Answer
from clawmesh.errors import ClawmeshError, FailedError, MeshError, PeerError
from clawmesh.mesh.address import SESSION, Address
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Image, Message, Text


class Sender:
    """Implements `clawmesh.abc.context.Verbs` in the name of one session, limited to its agent's peers and topics."""

    def __init__(self, engine: Engine, received: Envelope, peers: Sequence[str], topics: Sequence[str]) -> None:
        self._engine = engine
        self._received = received
        self._peers = peers
        self._topics = topics

    async def ask(self, to: str, message: Message | str, *, seconds: float | None = None) -> Message:
        outcome = await self._ask(self._resolve(to), message, seconds)
        if outcome.message is None:
            raise outcome.error or FailedError(f"{to} gave no answer")
        return outcome.message

    async def send(self, to: str, message: Message | str) -> str:
        return await self._send(self._resolve(to), message)

    async def publish(self, topic: str, message: Message | str) -> int:
        if topic not in self._topics:
            known = ", ".join(self._topics) or "none"
            raise PeerError(f"{self._received.to.agent} may not publish to {topic!r}; its topics: {known}")
        receivers = [agent for agent in self._engine.followers(topic) if agent != self._received.to.agent]
        missed: list[str] = []

        async def one(agent: str) -> None:
            try:
                await self._send(self._address(agent), message)
            except MeshError as error:
                missed.append(f"{agent}: {error}")

        async with anyio.create_task_group() as tasks:
            for agent in receivers:
                tasks.start_soon(one, agent)
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
        addresses = [self._resolve(name) for name in to]
        needed = {"first": min(1, len(to)), "quorum": len(to) // 2 + 1, "all": len(to)}[mode]
        answers: list[Answer] = []
        given = 0

        async def one(name: str, address: Address) -> None:
            nonlocal given
            try:
                outcome = await self._ask(address, message, seconds)
            except ClawmeshError as error:
                answers.append(Answer(name, error=str(error)))
                return
            answers.append(Answer(name, outcome.message, str(outcome.error or "")))
            given += outcome.message is not None
            if mode != "all" and given >= needed:
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for name, address in zip(to, addresses, strict=True):
                tasks.start_soon(one, name, address)
        return sorted(answers, key=lambda answer: answer.message is None)

    async def _ask(self, to: Address, message: Message | str, seconds: float | None) -> Outcome:
        waiting = (*self._received.waiting, self._received.to)
        return await self._engine.request(self._envelope("ask", to, message, seconds, waiting))

    async def _send(self, to: Address, message: Message | str) -> str:
        delivery = await self._engine.post(self._envelope("send", to, message, None, ()))
        return delivery.envelope.id

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
        return Envelope(
            id=self._engine.ids.new("env"),
            sender=str(received.to),
            to=to,
            kind=kind,
            message=_spoken(message),
            # What is sent has a life of its own; what is asked must be answered while the asker still has time.
            deadline=until if kind == "send" else min(until, received.deadline),
            causes=(*received.causes, received.id),
            waiting=waiting,
        )

    def _resolve(self, to: str) -> Address:
        agent = to.partition("/")[0]
        if not any(fnmatchcase(agent, peer) for peer in self._peers):
            known = ", ".join(self._peers) or "none"
            raise PeerError(f"{self._received.to.agent} may not talk to {agent!r}; its peers: {known}")
        return Address.parse(to) if "/" in to else self._address(agent)

    def _address(self, agent: str) -> Address:
        """Return the receiver's session that belongs to this conversation, so that it remembers what was said in it."""
        own = self._received.to
        session = f"{own.agent}~{own.session}"
        return Address(agent, session if SESSION.fullmatch(session) else hashlib.sha256(session.encode()).hexdigest())


def _spoken(message: Message | str) -> Message:
    """Return what one agent says as what the other hears: its words and images, not its thoughts and calls."""
    if isinstance(message, str):
        return Message.user(message)
    return Message("user", tuple(part for part in message.parts if isinstance(part, Text | Image)))
