"""Rings of sessions that wait for each other, through several workers.

Each worker knows whom its own sessions wait for. One that waits for long for an answer from another worker may be in a
ring; so its worker follows the waits from there, worker by worker, and if they lead back, ends one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import anyio

from clawmesh.cluster.joint import SocketJoint
from clawmesh.errors import ClawmeshError
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.wait import Waits, closing

LONG = 1.0
# No ring of agents is longer than the hops that one cause may take; nobody follows waits for ever.
ROUNDS = 64


class Rings:
    """Looks for rings that lead from this worker through a joint; `home` tells where a session lives."""

    def __init__(self, waits: Waits, joints: Mapping[int, SocketJoint], home: Callable[[Address], int]) -> None:
        self._waits = waits
        self._joints = joints
        self._home = home

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            await anyio.sleep(LONG)
            for joint in self._joints.values():
                await self.look(joint, joint.long(LONG))

    async def look(self, joint: SocketJoint, deliveries: Sequence[Delivery]) -> None:
        """End those of the deliveries which close a ring and are the ones to give way."""
        if not deliveries:
            return
        graph = await self._follow(delivery.envelope.to for delivery in deliveries)
        for delivery in deliveries:
            ring = self._ring(delivery, graph)
            if ring and self._gives_way(ring) and await self._stands(delivery, ring):
                joint.refuse(delivery, closing(ring))

    async def _stands(self, delivery: Delivery, ring: Sequence[Address]) -> bool:
        """Whether a ring is none that only seemed one, because its waits were seen one after the other.

        The last of them cannot end while the first one lasts; so whoever is seen again before it cannot either, and so
        on: after as many looks as there are waits none of them can.
        """
        for _ in ring[2:]:
            if self._ring(delivery, await self._follow([delivery.envelope.to])) != ring:
                return False
        return True

    async def _follow(self, starts: Iterable[Address]) -> Mapping[Address, Iterable[Address]]:
        """Return all waits that lead on from these sessions, by who waits."""
        graph: dict[Address, dict[Address, None]] = {}
        frontier = {*starts}
        seen: set[Address] = set()
        for _ in range(ROUNDS):
            seen |= frontier
            following: set[Address] = set()
            for worker in sorted({*map(self._home, frontier)}):
                for asker, asked in await self._ask(worker, [one for one in frontier if self._home(one) == worker]):
                    graph.setdefault(asker, {})[asked] = None
                    if self._home(asked) != worker:
                        following.add(asked)
            frontier = following - seen
            if not frontier:
                break
        return graph

    async def _ask(self, worker: int, addresses: Sequence[Address]) -> Sequence[tuple[Address, Address]]:
        joint = self._joints.get(worker)
        if joint is None:
            return [*self._waits.reachable(addresses)]
        try:
            found = await joint.query("waits", addresses=[*map(str, addresses)])
        except ClawmeshError:
            return []  # it is being replaced, or does not know: the next look is as good
        return [(Address.parse(asker), Address.parse(asked)) for asker, asked in found]

    def _ring(self, delivery: Delivery, graph: Mapping[Address, Iterable[Address]]) -> Sequence[Address]:
        """Return the way from who asks to whom it asks and on, until it is back; nothing where it never is."""
        asker, asked = delivery.envelope.waiting[-1], delivery.envelope.to
        ways: dict[Address, list[Address]] = {asked: [asker, asked]}
        for address in (frontier := [asked]):
            for following in graph.get(address, ()):
                if following == asker:
                    return [*ways[address], asker]
                if following not in ways:
                    ways[following] = [*ways[address], following]
                    frontier.append(following)
        return ()

    def _gives_way(self, ring: Sequence[Address]) -> bool:
        """Whether it is for the first in a ring to give way: of all that ask another worker, one does."""
        across = [str(asker) for asker, asked in pairwise(ring) if self._home(asker) != self._home(asked)]
        return str(ring[0]) == max(across)
