"""The mesh and its callers as this door sees them; whoever composes the doors has what fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeVar

import anyio.to_thread

from clawmesh.app import App
from clawmesh.config.location import JOURNAL
from clawmesh.config.model import AgentConfig
from clawmesh.journal.archive import Archive, open_archive
from clawmesh.mesh.address import Address

T = TypeVar("T")


class Holder(Protocol):
    """Whose request it is: the token that a guard before this door has accepted."""

    @property
    def name(self) -> str: ...

    def may(self, scope: Literal["read", "talk"], /) -> bool: ...

    def knows(self, agent: str, /) -> bool: ...

    def inside(self, agent: str, session: str, /) -> Address:
        """Return the address of a session that the holder calls so; raises UsageError where that is no name."""

    def outside(self, address: Address, /) -> str: ...

    def owns(self, address: Address, /) -> bool: ...


class Node(Protocol):
    """The process that serves, one of several workers perhaps."""

    @property
    def app(self) -> App: ...

    @property
    def worker(self) -> int: ...

    async def query(self, verb: str, worker: int, /, **arguments: Any) -> Any:
        """Do what a verb says, in one of the workers; raises ClawmeshError as it failed."""

    def home(self, session: str, /) -> int:
        """Return the number of the worker that a session is at home in."""


class Mesh:
    """What the operations work with."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.app = node.app
        self.engine = node.app.engine

    @property
    def agents(self) -> Mapping[str, AgentConfig]:
        return self.app.config.agents

    async def read(self, look: Callable[[Archive], T]) -> T:
        """Look something up in the journals of all workers, beside the event loop, after what this one has done.

        Raises:
            StorageError: a file cannot be read.
        """

        def work() -> T:
            with open_archive(self.app.places.data / JOURNAL) as archive:
                return look(archive)

        await self.engine.log.flush()
        return await anyio.to_thread.run_sync(work)

    async def cancel(self, id: str, address: Address) -> bool:
        """Stop a message wherever it is handled; False where it is not under way any more."""
        return bool(await self.node.query("cancel", self.node.home(address.session), id=id))
