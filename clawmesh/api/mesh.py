"""The mesh as the doors see it: this process's part, and the way to the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from clawmesh.app import App
from clawmesh.config.location import JOURNAL
from clawmesh.config.model import AgentConfig
from clawmesh.errors import JointError
from clawmesh.journal.archive import Archive, open_archive

T = TypeVar("T")
SECONDS = 1.0


class Node(Protocol):
    """The process that serves, one of several workers perhaps."""

    @property
    def app(self) -> App: ...

    @property
    def worker(self) -> int: ...

    @property
    def workers(self) -> int: ...

    async def query(self, verb: str, worker: int, /, **arguments: Any) -> Any:
        """Do what a verb says, in one of the workers; raises ClawmeshError as it failed."""

    def offer(self, name: str, verb: Callable[..., Awaitable[Any]], /) -> None:
        """Let others ask this one for one more verb."""

    def home(self, session: str) -> int:
        """Return the number of the worker that a session is at home in."""


class Agents(Mapping[str, AgentConfig]):
    """The agents of whatever configuration is in force."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __getitem__(self, name: str) -> AgentConfig:
        return self._app.config.agents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._app.config.agents)

    def __len__(self) -> int:
        return len(self._app.config.agents)


class Mesh:
    """What routes work with."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.app = node.app
        self.engine = node.app.engine
        self.agents = Agents(node.app)

    async def there(self, verb: str, session: str, /, **arguments: Any) -> Any:
        """Do what a verb says in the process that is home to a session; raises as `Node.query` does."""
        return await self.node.query(verb, self.node.home(session), **arguments)

    async def everywhere(self, verb: str, /, **arguments: Any) -> list[Any]:
        """Do what a verb says in every worker that can be reached; return what they gave, in their order."""
        given = []
        for worker in range(self.node.workers):
            # One that is being replaced, or stopped, has nothing to tell that would not be told later.
            with suppress(JointError), anyio.move_on_after(SECONDS):
                given.append(await self.node.query(verb, worker, **arguments))
        return given

    async def read(self, look: Callable[[Archive], T]) -> T:
        """Look something up in the journals of all workers, beside the event loop, after what this one has done.

        Raises:
            StorageError: a file cannot be read.
        """

        def work() -> T:
            with self._archive() as archive:
                return look(archive)

        await self.engine.log.flush()
        return await anyio.to_thread.run_sync(work)

    def _archive(self) -> AbstractContextManager[Archive]:
        return open_archive(self.app.places.data / JOURNAL)
