"""Who waits for whom: the graph that must not have a ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from clawmesh.errors import RingError
from clawmesh.mesh.address import Address


def closing(ring: Sequence[Address]) -> RingError:
    """Return the error for the first in a ring, who asks the second and is at its end again."""
    shown = " → ".join(map(str, ring))
    return RingError(f"{ring[1]} cannot be asked: it waits for this very answer ({shown})")


class Waits:
    """Holds, for every session that waits for answers, the sessions that it waits for."""

    def __init__(self) -> None:
        self._waits: dict[Address, Counter[Address]] = {}

    def add(self, asker: Address, asked: Address) -> None:
        """Note that `asker` waits for `asked`.

        Raises:
            RingError: `asked` waits for `asker` already, itself or through others; the error shows the ring.
        """
        if ring := self._path(asked, asker):
            raise closing([asker, *ring])
        self._waits.setdefault(asker, Counter())[asked] += 1

    def remove(self, asker: Address, asked: Address) -> None:
        """Note that an answer has come, or is not waited for any more."""
        waits = self._waits[asker]
        waits[asked] -= 1
        if not waits[asked]:
            del waits[asked]
        if not waits:
            del self._waits[asker]

    def reachable(self, starts: Iterable[Address]) -> Iterator[tuple[Address, Address]]:
        """Yield every wait that leads on from one of these sessions, as who asks and who is asked."""
        frontier = [*dict.fromkeys(starts)]
        known = {*frontier}
        for address in frontier:
            for following in self._waits.get(address, ()):
                yield address, following
                if following not in known:
                    known.add(following)
                    frontier.append(following)

    def _path(self, start: Address, goal: Address) -> list[Address]:
        """Return the way from one session to another along what they wait for, or nothing."""
        before: dict[Address, Address | None] = {start: None}
        frontier = [start]
        for address in frontier:
            if address == goal:
                path: list[Address] = []
                step: Address | None = address
                while step is not None:
                    path.insert(0, step)
                    step = before[step]
                return path
            for following in self._waits.get(address, ()):
                if following not in before:
                    before[following] = address
                    frontier.append(following)
        return []
