"""What this door needs to know of the mesh, and of those who knock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from clawmesh.config.model import AgentConfig
from clawmesh.ids import Ids
from clawmesh.journal.archive import Archive
from clawmesh.mesh.address import Address
from clawmesh.mesh.engine import Engine

T = TypeVar("T")
Verb: TypeAlias = Callable[..., Awaitable[Any]]
Right: TypeAlias = Literal["read", "talk"]


class Token(Protocol):
    """Whose request it is."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """What is kept of the token's secret; whoever has it could have the token."""

    def may(self, scope: Right, /) -> bool: ...

    def knows(self, agent: str, /) -> bool: ...

    def owns(self, address: Address, /) -> bool: ...

    def inside(self, agent: str, session: str, /) -> Address:
        """Return the address of a session that the holder calls by this name; raises UsageError where it is none."""

    def outside(self, address: Address, /) -> str:
        """Return the name by which the holder calls a session that is theirs."""


class Workers(Protocol):
    """The processes of the mesh."""

    @property
    def worker(self) -> int: ...

    @property
    def workers(self) -> int: ...

    async def query(self, verb: str, worker: int, /, **arguments: Any) -> Any:
        """Do what a verb says, in one of the workers; raises ClawmeshError as it failed."""

    def offer(self, name: str, verb: Verb, /) -> None:
        """Let the others ask this one for a verb."""


class Core(Protocol):
    """The mesh without its doors; `version` grows with each configuration that is put into force."""

    @property
    def ids(self) -> Ids: ...

    @property
    def version(self) -> int: ...


class Mesh(Protocol):
    """This process's part of the mesh, and the way to the others."""

    @property
    def app(self) -> Core: ...

    @property
    def node(self) -> Workers: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def agents(self) -> Mapping[str, AgentConfig]: ...

    async def read(self, look: Callable[[Archive], T]) -> T:
        """Look something up in the journals; raises StorageError where they cannot be read."""
