"""Callers of a mesh that is killed again and again: each says one thing after the other, until it knows the outcome."""

from __future__ import annotations

import asyncio
from random import Random

from msgspec.structs import replace

from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import holder, socket_of
from clawmesh.cluster.home import home
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.errors import BusyError, JointError, StorageError
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Message
from tests.recovery.site import Site
from tests.recovery.traffic import TEAM, Traffic
from tests.recovery.witness import KNOWN_BY_KEY, Wish, Witness

PAUSE = 0.02
SECONDS = 600.0


class Caller:
    """Comes in through the door; `over` says that no new thing is to be said."""

    def __init__(self, name: str, site: Site, witness: Witness, random: Random) -> None:
        self.over = asyncio.Event()
        self._name = name
        self._site = site
        self._witness = witness
        self._random = random
        self._traffic = Traffic(random)
        self._clock = SystemClock()
        self._ids = Ids(self._clock)

    async def run(self) -> None:
        """Speak until it is over."""
        number = 0
        while not self.over.is_set():
            await self._say(number)
            number += 1

    async def _say(self, number: int) -> None:
        name, session = f"{self._name}.{number}", f"{self._random.choice(TEAM)}/{self._random.choice('stuvw')}"
        to = Address.parse(session)
        keyed = self._random.random() < 0.5
        envelope = Envelope(
            id=self._ids.new("env"),
            sender=self._name,
            to=to,
            kind=self._random.choice(("ask", "ask", "send")),
            message=Message.user(self._traffic.plan(name, to.agent).text),
            deadline=self._clock.monotonic() + SECONDS,
            key=name if keyed else "",
        )
        self._witness.wishes.append(Wish(name, self._name, session, number, sure=True))
        for times in range(self._random.choice((1, 1, 2))):
            await self._persist(name, envelope, again=times > 0)

    async def _persist(self, name: str, envelope: Envelope, *, again: bool) -> None:
        """Hand an envelope in until it has had its effect; by the key it is known under another id, too."""
        while True:
            try:
                outcome = await self._hand_in(envelope, again=again)
            except (JointError, BusyError, StorageError):
                again = True
                await asyncio.sleep(PAUSE)
                if envelope.key:
                    envelope = replace(envelope, id=self._ids.new("env"))
                continue
            if outcome is None:
                self._witness.promise(name, KNOWN_BY_KEY if envelope.key else envelope.id)
            else:
                self._witness.hear(name, outcome)
            return

    async def _hand_in(self, envelope: Envelope, *, again: bool) -> Outcome | None:
        found = holder(self._site.data)
        workers = 1 if found is None else found.workers
        path = socket_of(self._site.data, home(str(envelope.to), workers))
        async with open_joint(path, self._clock, lasting=False) as joint:
            return await self._deliver(joint, envelope, again=again)

    async def _deliver(self, joint: SocketJoint, envelope: Envelope, *, again: bool) -> Outcome | None:
        delivery = Delivery(envelope)
        delivery.again = again
        await joint.deliver(delivery)
        if envelope.kind == "send":
            return None
        outcome = await delivery.waiter()
        if isinstance(outcome.error, JointError | BusyError | StorageError):
            raise outcome.error
        return outcome
