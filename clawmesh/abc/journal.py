"""The seam between the mesh and its durable record.

The record is a log: entries in the order in which they were taken, each about one envelope. What the `data` of an entry
means is known to those who write it; a journal stores it unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol, TypeAlias

from msgspec import Struct


class Kind(IntEnum):
    """What an entry tells of its envelope. The numbers are on disk: none is ever given a new meaning."""

    ACCEPTED = 1
    """It came in; from here until ENDED it is pending. `session` is where to, `key` the caller's idempotency key."""
    TAKEN = 2
    """It is handled once more, after a crash."""
    RELEASED = 3
    """The process ended in good order before it was done: the tries so far do not count."""
    STEP = 4
    """A model replied, and the turn goes on."""
    INTENT = 5
    """A tool is about to be called."""
    RESULT = 6
    """A tool gave its result."""
    ENDED = 7
    """It has its outcome."""
    DEAD = 8
    """It failed and nobody was told: it rests among the dead letters; `data` is the reason in UTF-8."""
    REVIVED = 9
    """It left the dead letters, because it was sent again; `data` is the id of the new envelope."""
    DISCARDED = 10
    """It left the dead letters for good."""


class Entry(Struct, frozen=True, gc=False):
    """One thing that happened to an envelope; `at` is in seconds since 1970."""

    kind: Kind
    envelope: str
    at: float
    data: bytes = b""
    session: str = ""
    key: str = ""


Story: TypeAlias = Sequence[Entry]
"""All entries of one envelope, oldest first."""


class Snapshot(Struct, frozen=True, gc=False):
    """What a session has to know to go on; it replaces the one before. It is made while nothing of it is pending."""

    session: str
    at: float
    data: bytes


class Woken(Struct, frozen=True):
    """A session as it was left: its newest snapshot, and the stories that ended since, in the order of arrival."""

    snapshot: Snapshot | None
    tail: Sequence[Story]


class Reader(Protocol):
    """Reads what is on disk. Raises StorageError where that cannot be read."""

    async def pending(self) -> Sequence[Story]:
        """Return the stories of the envelopes that have no outcome, in the order of arrival."""

    async def story(self, envelope: str) -> Story:
        """Return the entries of one envelope; none where it is not known."""

    async def find(self, key: str) -> str:
        """Return the id of the envelope that came with this idempotency key in the last seven days, or ""."""

    async def wake(self, session: str) -> Woken:
        """Return what is known of a session."""


class Journal(Protocol):
    """The durable record of one process, which alone writes to it."""

    @property
    def reader(self) -> Reader: ...

    @property
    def trouble(self) -> str:
        """Say why nothing can be written at present, or ""."""

    def append(self, item: Entry | Snapshot) -> int:
        """Take what happened, at once and in order; return its position.

        Raises:
            StorageError: the journal is closed, or too much waits for a disk that does not take it.
        """

    async def durable(self, position: int) -> None:
        """Return as soon as everything up to this position is on disk, through a power loss too.

        Raises:
            StorageError: it never will be.
        """
