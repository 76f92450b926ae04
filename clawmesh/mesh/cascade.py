"""How many envelopes one cause has led to: the bound on storms of agents."""

from __future__ import annotations

from clawmesh.errors import LimitError
from clawmesh.mesh.envelope import Envelope


class Cascades:
    """Counts, for every root that has anything under way, all envelopes that came of it."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self._under_way: dict[str, int] = {}
        self._total: dict[str, int] = {}

    def check(self, envelope: Envelope) -> None:
        """Refuse what would be one too many.

        Raises:
            LimitError: as many as `[mesh] fanout` allows came of the same root.
        """
        if (total := self._total.get(envelope.root, 0)) >= self.ceiling:
            raise LimitError(
                f"{total} messages came of {envelope.root} already; [mesh] fanout allows no more", limit="fanout"
            )

    def add(self, envelope: Envelope) -> None:
        root = envelope.root
        self._under_way[root] = self._under_way.get(root, 0) + 1
        self._total[root] = self._total.get(root, 0) + 1

    def remove(self, envelope: Envelope) -> None:
        """Note an outcome; a root is forgotten with the last one."""
        root = envelope.root
        left = self._under_way[root] - 1
        if left:
            self._under_way[root] = left
        else:
            del self._under_way[root], self._total[root]
