"""What a tool, a coded agent and a plugin's factory are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from clawmesh.abc.memory import Memory
from clawmesh.clock import Clock
from clawmesh.ids import Ids
from clawmesh.messages import Emit, Message

if TYPE_CHECKING:
    from clawmesh.http.transport import Transport


class Services(Struct, frozen=True):
    """What the host gives to every factory: a plugin's callable takes it as its positional-only parameter."""

    transport: Transport
    clock: Clock
    ids: Ids
    random: Random
    data: Path


class Answer(Struct, frozen=True):
    """What one of several receivers said; `error` is set instead of `message` when it gave none."""

    address: str
    message: Message | None = None
    error: str = ""


class Verbs(Protocol):
    """The mesh as one session sees it: it sends in its own name, to its own peers only."""

    async def ask(self, to: str, message: Message | str, *, seconds: float | None = None) -> Message:
        """Return the answer of an agent (`writer`) or of one of its sessions (`writer/s1`).

        Raises:
            MeshError: by its type: refused, expired, failed, full.
        """

    async def send(self, to: str, message: Message | str) -> str:
        """Deliver a message that expects no answer; returns the envelope's id once it is accepted.

        It is on disk before anything that this turn does afterwards can be seen outside.
        """

    async def publish(self, topic: str, message: Message | str) -> int:
        """Deliver a message to every agent that follows the topic; returns how many."""

    async def gather(
        self,
        to: Sequence[str],
        message: Message | str,
        *,
        mode: Literal["first", "all", "quorum"] = "all",
        seconds: float | None = None,
    ) -> list[Answer]:
        """Ask several at once. `first` and `quorum` (more than half) cancel the rest as soon as they have enough."""

    def under(self, key: str) -> Verbs:
        """Return the same verbs for one action; what it sends has the same ids when it is repeated after a crash."""


class Context(Struct, frozen=True):
    """The surroundings of one tool call or one turn of a coded agent.

    `key` is the idempotency key of this very action: the same after a crash and a repeat.
    """

    address: str
    key: str
    mesh: Verbs
    services: Services
    emit: Emit
    memory: Memory | None = None

    def under(self, key: str) -> Context:
        """Return the surroundings of one action of the turn."""
        return replace(self, key=key, mesh=self.mesh.under(key))
