"""How many sessions each agent has in memory, and what they take."""

from __future__ import annotations

from msgspec import Struct

from clawmesh.agent.session import Sessions
from clawmesh.mesh.engine import Engine


class Count(Struct):
    """The sessions of one agent: warm ones, their bytes, and those that have anything under way, warm or not."""

    warm: int = 0
    bytes: int = 0
    active: int = 0


def census(sessions: Sessions, engine: Engine) -> dict[str, Count]:
    """Count the sessions of every agent that has any in memory."""
    counts: dict[str, Count] = {}
    for address, size in sessions.sizes():
        count = counts.setdefault(address.agent, Count())
        count.warm += 1
        count.bytes += size
    for address in engine.at_work():
        counts.setdefault(address.agent, Count()).active += 1
    return counts
