"""The real journal on a simulated disk, all on the event loop: its time is the loop's time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import apsw

from clawmesh.clock import Clock
from clawmesh.failpoint import Failpoints
from clawmesh.journal import schema
from clawmesh.journal.checkpointer import Checkpointer
from clawmesh.journal.connection import connect_writing, ours, renew_log
from clawmesh.journal.journal import SqliteJournal
from clawmesh.journal.reader import SqliteReader
from clawmesh.journal.retention import Retention
from clawmesh.journal.runner import Step
from clawmesh.journal.store import Store
from clawmesh.journal.writer import Writer
from clawmesh.testing.disk import Disk

T = TypeVar("T")
PATH = "/journal.db"


class LoopRunner:
    """Runs its step on the loop, `pause()` seconds after it was woken: so long the disk takes."""

    def __init__(self, pause: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._pause = pause
        self._step: Step | None = None
        self._failed: Callable[[BaseException], None] | None = None
        self._next: asyncio.TimerHandle | None = None
        self._woken = False

    def start(self, step: Step, failed: Callable[[BaseException], None]) -> None:
        self._step = step
        self._failed = failed
        self.wake()

    def wake(self) -> None:
        if not self._woken and self._step is not None:
            self._woken = True
            self._plan(self._pause())

    def rest(self, seconds: float) -> None:
        """Nothing: `pause` says how long the disk takes."""

    def tell(self, call: Callable[..., None], *arguments: Any) -> None:
        self._loop.call_soon(call, *arguments)

    async def stop(self) -> None:
        self._step = None
        if self._next is not None:
            self._next.cancel()

    def _plan(self, seconds: float) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_later(seconds, self._run)

    def _run(self) -> None:
        if self._step is None or self._failed is None:
            return
        self._woken = False
        try:
            seconds = self._step()
        except Exception as error:  # noqa: BLE001 - told to the owner, who judges it
            self._step = None
            self._failed(error)
            return
        if seconds is not None and not self._woken:
            self._plan(seconds + (self._pause() if not seconds else 0.0))


class LoopShelf:
    """Lends the one connection that there is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        await anyio.lowlevel.checkpoint()
        return work(self._store.connection)


@asynccontextmanager
async def open_simulated_journal(
    disk: Disk,
    *,
    clock: Clock,
    keep: float | None = None,
    failpoints: Failpoints | None = None,
    warn: Callable[[str], None] = lambda _: None,
    pause: Callable[[], float] = lambda: 0.0,
) -> AsyncIterator[SqliteJournal]:
    """Open the journal on a disk; `pause` says how many seconds the disk takes for each commit.

    Raises:
        StorageError: as `open_journal` does.
    """
    failpoints = failpoints or Failpoints()
    with disk.mounted() as vfs:
        store = Store(PATH, failpoints, lambda: None, vfs=vfs, alone=True)
        try:
            with ours(PATH):
                _make_ready(vfs)
                store.open()
            retention = Retention(keep, clock, failpoints)
            writer = Writer(store, LoopRunner(pause), Checkpointer(store, None), retention, clock, warn)
            writer.start()
            try:
                yield SqliteJournal(writer, SqliteReader(PATH, LoopShelf(store), store.heads, clock))
            finally:
                with anyio.CancelScope(shield=True):
                    await writer.close()
                    with ours(PATH):
                        store.finish()
        finally:
            store.close()


def _make_ready(vfs: str) -> None:
    renew_log(PATH, vfs)
    connection = connect_writing(PATH, vfs, alone=True)
    try:
        schema.migrate(connection, schema.version(connection, PATH))
    finally:
        connection.close()
