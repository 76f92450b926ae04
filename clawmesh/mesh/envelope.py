"""Envelopes: messages under way, and how they ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from clawmesh.errors import ClawmeshError
from clawmesh.mesh.address import Address
from clawmesh.messages import Message, Report


class Envelope(Struct, frozen=True, kw_only=True):
    """A message on its way.

    `sender` is an address, or a word for the outside such as `user`. `causes` are the ids of the envelopes that led
    to this one, oldest first. `waiting` are the addresses that wait for its answer, outermost first. `deadline` is
    in seconds of the monotonic clock. `key` is the idempotency key of a caller outside: what comes twice with the same
    one, from one sender to one session, is one envelope.
    """

    id: str
    sender: str
    to: Address
    kind: Literal["ask", "send"]
    message: Message
    deadline: float
    causes: tuple[str, ...] = ()
    waiting: tuple[Address, ...] = ()
    key: str = ""

    @property
    def root(self) -> str:
        """Return the id of the envelope that all this began with."""
        return self.causes[0] if self.causes else self.id


class Ending(StrEnum):
    """The one way in which an envelope ends."""

    ANSWERED = "answered"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    DEAD = "dead"


class Outcome(Struct, frozen=True):
    """How an envelope ended: with a message and the report of the turn, or with an error."""

    ending: Ending
    message: Message | None = None
    report: Report | None = None
    error: ClawmeshError | None = None
