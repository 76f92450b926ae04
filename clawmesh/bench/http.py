"""The suite `http`: many clients of one served process: listening, asking, and taking their time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from clawmesh.bench import crowd, laggard, post
from clawmesh.bench.door import Opener, served
from clawmesh.bench.suite import Advance, Check, Progress

NAME = "http"


class Part(Struct, frozen=True):
    """One part of the suite, and about how many seconds it takes with 10,000 clients."""

    what: str
    seconds: float
    checks: Callable[[int, Opener, Advance], Iterable[Check]]


# What a reference can be held against.
COMMON: Sequence[Part] = (
    Part("clients that listen", 30, crowd.ticks),
    Part("a model's answer to its listeners", 60, crowd.relays),
    Part("small requests", 10, post.checks),
)
PARTS: Sequence[Part] = (*COMMON, Part("slow clients beside quick ones", 30, laggard.checks))


def run(clients: int, progress: Progress, parts: Sequence[Part] = PARTS, opener: Opener = served) -> list[Check]:
    """Measure the server that `opener` starts; `progress` hears what is being measured, and how far it has come."""
    total = sum(part.seconds for part in parts)
    before = 0.0
    checks: list[Check] = []
    for part in parts:
        progress(part.what, before / total)
        checks += part.checks(clients, opener, _within(part, before, total, progress))
        before += part.seconds
    return checks


def _within(part: Part, before: float, total: float, progress: Progress) -> Advance:
    """Return what tells the whole how far one part has come."""
    return lambda share: progress(part.what, (before + share * part.seconds) / total)
