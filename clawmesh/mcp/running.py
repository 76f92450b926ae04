"""The calls that are at work, so that they can be cancelled: here, or from another process of the mesh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from clawmesh.mcp.fault import INVALID_REQUEST, RpcError
from clawmesh.mcp.frame import Id
from clawmesh.mcp.mesh import Workers
from clawmesh.mcp.visit import Visits

CANCEL, END = "mcp_cancel", "mcp_end"


class Running:
    """The calls of one process, by the visit that they belong to and their ids."""

    def __init__(self) -> None:
        self.visits = Visits()
        self._calls: dict[str, dict[Id, anyio.CancelScope]] = {}

    def offer(self, workers: Workers) -> None:
        """Let the other processes of the mesh cancel what is at work here."""

        async def cancel(visit: str, id: Id) -> bool:
            return self.cancel(visit, id)

        async def end(visit: str) -> bool:
            self.end(visit)
            return True

        workers.offer(CANCEL, cancel)
        workers.offer(END, end)

    @contextmanager
    def entered(self, visit: str, id: Id) -> Iterator[anyio.CancelScope]:
        """Let a call be cancelled while the block runs; one outside of any visit by leaving alone.

        Raises:
            RpcError: one of the same id is at work already.
        """
        with anyio.CancelScope() as scope:
            if not visit:
                yield scope
                return
            calls = self._calls.setdefault(visit, {})
            if id in calls:
                raise RpcError(INVALID_REQUEST, "a request of this id is at work already")
            calls[id] = scope
            try:
                yield scope
            finally:
                del calls[id]
                if not calls:
                    self._calls.pop(visit, None)

    def cancel(self, visit: str, id: Id) -> bool:
        """Stop a call; False where there is none."""
        scope = self._calls.get(visit, {}).get(id)
        if scope is not None:
            scope.cancel()
        return scope is not None

    def end(self, visit: str) -> None:
        """End a visit, with all calls that belong to it."""
        self.visits.end(visit)
        for scope in self._calls.get(visit, {}).values():
            scope.cancel()
