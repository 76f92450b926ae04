"""Engines that a door can lead to, without a mesh behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clawmesh.clock import SystemClock
from clawmesh.cluster.door import Door, Verb, open_door
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.errors import ClawmeshError
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.messages import Emit, Message, Text

CLOCK = SystemClock()


class Desk:
    """Keeps what is handed in, once by its id; what `hold` is given ends when the test says so, all else at once."""

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.refusal: ClawmeshError | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.deliveries: dict[str, Delivery] = {}
        self.left: list[str] = []
        self.knocked = asyncio.Event()
        self.someone_left = asyncio.Event()
        self._came = asyncio.Condition()

    async def receive(self, envelope: Envelope, emit: Emit | None = None, *, again: bool = False) -> Delivery:
        self.knocked.set()
        await self.open.wait()
        if self.refusal is not None:
            raise self.refusal
        delivery = self.deliveries.get(envelope.id)
        if delivery is None:
            delivery = self.deliveries[envelope.id] = Delivery(envelope)
        delivery.attach(emit)
        async with self._came:
            self._came.notify_all()
        if not self.hold:
            self.answer(envelope.id)
        return delivery

    async def until(self, count: int) -> None:
        """Wait until so many have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.deliveries) == count)

    take = receive

    async def kept(self, delivery: Delivery) -> None:
        return None

    async def settled(self, delivery: Delivery, emit: Emit | None = None) -> Outcome:
        waiter = delivery.waiter()
        try:
            return await waiter
        except asyncio.CancelledError:
            if not delivery.detached:
                self.left.append(delivery.envelope.id)
                self.someone_left.set()
            raise

    def answer(self, id: str) -> None:
        """End an envelope with its own words, said piece by piece before."""
        delivery = self.deliveries[id]
        if delivery.outcome is None:
            text = delivery.envelope.message.text
            for word in text.split():
                delivery.emit(Text(word))
            delivery.end(Outcome(Ending.ANSWERED, message=Message.assistant(text)))


def delivery(
    id: str, text: str = "hello", *, seconds: float = 30.0, emit: Emit | None = None, **fields: Any
) -> Delivery:
    """Return an envelope that is to be handed over: to b/s, unless its fields say otherwise."""
    usual = {"sender": "user", "to": Address("b", "s"), "kind": "ask", "message": Message.user(text)}
    return Delivery(Envelope(id=id, deadline=CLOCK.monotonic() + seconds, **{**usual, **fields}), emit)


async def ended(given: Delivery) -> Outcome:
    return await given.waiter()


def silent(text: str) -> None:
    """Hear a warning that should not be."""
    raise AssertionError(text)


@asynccontextmanager
async def doorway(
    path: Path, desk: Desk, verbs: Mapping[str, Verb] | None = None, *, lasting: bool = True
) -> AsyncIterator[tuple[SocketJoint, Door]]:
    """Open a door and a joint that leads to it."""

    def warn(text: str) -> None:
        raise AssertionError(text)

    async with (
        open_door(path, desk, verbs or {}, CLOCK, warn) as door,
        open_joint(path, CLOCK, lasting=lasting) as joint,
    ):
        yield joint, door
