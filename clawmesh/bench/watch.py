"""Watches the mesh: what comes in, how long it waits until an agent begins with it, what ends."""

from __future__ import annotations

import time
from array import array

from msgspec import Struct

from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.messages import Piece, Text


class Percentiles(Struct, frozen=True):
    """Of many waits, in milliseconds."""

    p50: float
    p99: float
    p999: float

    @classmethod
    def of(cls, nanoseconds: array[int]) -> Percentiles:
        """Return them; of none at all, those of one that took no time."""
        waits = sorted(nanoseconds) or [0]
        return cls(*(waits[min(int(len(waits) * share), len(waits) - 1)] / 1e6 for share in (0.5, 0.99, 0.999)))


class Watch:
    """Observes an engine. The agents of the bench emit an empty text when they begin, and their own figures as text.

    `waits` are from acceptance to the beginning, `told` the agents' own figures, all in nanoseconds. `roots` counts the
    envelopes from outside that were let in, `ended` and `failures` those of all.
    """

    def __init__(self) -> None:
        self._accepted: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all figures, so that the next load begins with none."""
        self.waits = array("q")
        self.told = array("q")
        self.roots = self.endings = self.failures = 0

    def accepted(self, envelope: Envelope) -> None:
        self.roots += not envelope.causes
        self._accepted[envelope.id] = time.perf_counter_ns()

    def piece(self, envelope: Envelope, piece: Piece) -> None:
        if type(piece) is not Text:
            return
        if piece.text:
            self.told.append(int(piece.text))
        elif began := self._accepted.pop(envelope.id, 0):
            self.waits.append(time.perf_counter_ns() - began)

    def ended(self, envelope: Envelope, outcome: Outcome) -> None:
        self._accepted.pop(envelope.id, None)
        self.endings += 1
        self.failures += outcome.ending is not Ending.ANSWERED
