"""The suite `mesh`: many conversations at once, messages between agents, memory, recovery, all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from clawmesh.bench import endurance, fanout, memory, recovery, routing, scaling, start, turns
from clawmesh.bench.suite import Advance, Check, Progress

NAME = "mesh"


class Part(Struct, frozen=True):
    """One part of the suite, and about how many seconds it takes with 10,000 sessions."""

    what: str
    seconds: float
    checks: Callable[[int, Advance], Iterable[Check]]


def _start(sessions: int, advance: Advance) -> Iterable[Check]:
    return start.checks()


PARTS: Sequence[Part] = (
    Part("conversations at once", 18, turns.checks),
    Part("messages between agents", 14, routing.checks),
    Part("a message to all", 3, fanout.checks),
    Part("memory of sessions", 18, memory.checks),
    Part("recovery after kill -9", 8, recovery.checks),
    Part("all cores", 10, scaling.checks),
    Part("rounds on rounds", 8, endurance.checks),
    Part("start, and 10,000 agents", 4, _start),
)


def run(sessions: int, progress: Progress, parts: Sequence[Part] = PARTS) -> list[Check]:
    """Measure everything; `progress` hears what is being measured, and how far it has come."""
    total = sum(part.seconds for part in parts)
    before = 0.0
    checks: list[Check] = []
    for part in parts:
        progress(part.what, before / total)
        checks += part.checks(sessions, _within(part, before, total, progress))
        before += part.seconds
    return checks


def _within(part: Part, before: float, total: float, progress: Progress) -> Advance:
    """Return what tells the whole how far one part has come."""
    return lambda share: progress(part.what, (before + share * part.seconds) / total)
