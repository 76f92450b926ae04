"""Envelopes: messages under way, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from clawmesh.abc.tool import ToolSpec
from clawmesh.errors import ClawmeshError
from clawmesh.mesh.address import Address
from clawmesh.messages import Message, Report


class Wishes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a caller from outside wants of one turn besides an answer; what is not said is as the agent has it.

    `history` is what was said before: it takes the place of the session's transcript, which is neither read nor added
    to. `instructions` are added to the agent's. `tools` are the caller's own: a call of one ends the turn and goes back
    to the caller, who answers it with the next message. The rest is as in `clawmesh.abc.backend.Request`.
    """

    history: tuple[Message, ...] | None = None
    instructions: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none", "required"] = "auto"
    parallel_tools: bool = True
    output_schema: Mapping[str, Any] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning: str = ""
    stop: tuple[str, ...] = ()


class Envelope(Struct, frozen=True, kw_only=True):
    """A message on its way.

    `sender` is an address, or a word for the outside such as `user`. `causes` are the ids of the envelopes that led
    to this one, oldest first. `waiting` are the addresses that wait for its answer, outermost first. `deadline` is
    in seconds of the monotonic clock. `key` is the idempotency key of a caller outside: what comes twice with the same
    one, from one sender to one session, is one envelope. `wishes` are that caller's, too.
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
    wishes: Wishes | None = None

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
