"""The seam between agents and what they keep beyond the transcript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Fact(Struct, frozen=True):
    """One thing remembered, in `scope` (an agent's name), at `at` seconds since 1970."""

    id: str
    scope: str
    text: str
    at: float


class Memory(Protocol):
    """Made by a plugin's `register_memories`."""

    async def remember(self, scope: str, text: str) -> Fact:
        """Keep a fact."""

    async def recall(self, scope: str, query: str, limit: int) -> Sequence[Fact]:
        """Return at most `limit` facts that fit the query, best first."""

    async def forget(self, scope: str, id: str) -> bool:
        """Drop a fact; False if there was none."""
