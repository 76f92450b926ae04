"""What those outside of a simulated mesh saw: what they were promised, what they were told, what really happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from clawmesh.mesh.envelope import Outcome

KNOWN_BY_KEY = ""
"""Instead of an id: the caller knows its message by its key alone."""


class Deed(Struct, frozen=True):
    """An effect in the world, in the process's life number `life`; for a model call `name` is `model`."""

    life: int
    key: str
    name: str
    arguments: Mapping[str, Any]


class Wish(Struct, frozen=True):
    """What a caller wanted: the plan `name` for a session, `number` of those that this caller had for it.

    `sure` says that the caller went on until it knew the outcome.
    """

    name: str
    caller: str
    session: str
    number: int
    sure: bool


class Witness:
    """Remembers; judges nothing."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self.wishes: list[Wish] = []
        self.told: dict[str, list[Outcome]] = {}
        self.accepted: dict[str, list[str]] = {}
        self.bought: list[tuple[int, str, str, int]] = []
        self.complaints: list[str] = []

    def hear(self, plan: str, outcome: Outcome) -> None:
        """Note how a caller was told that a plan ended."""
        self.told.setdefault(plan, []).append(outcome)

    def promise(self, plan: str, envelope: str) -> None:
        """Note that a caller was told that a plan is accepted."""
        self.accepted.setdefault(plan, []).append(envelope)

    def own(self, life: int, session: str, plan: str, steps: int) -> None:
        """Note that the journal held so many replies of a model as a life began."""
        self.bought.append((life, session, plan, steps))

    def complain(self, text: str) -> None:
        """Note something that must never happen."""
        self.complaints.append(text)
