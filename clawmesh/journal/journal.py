"""The durable record in SQLite: what the seam in `abc` asks for, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from clawmesh.abc.journal import Entry, Reader, Snapshot
from clawmesh.clock import Clock
from clawmesh.config.location import prepare
from clawmesh.failpoint import Failpoints
from clawmesh.journal.checkpointer import Checkpointer
from clawmesh.journal.connection import connect_reading, ours
from clawmesh.journal.file import make_ready
from clawmesh.journal.lock import Lock
from clawmesh.journal.reader import SqliteReader, ThreadShelf
from clawmesh.journal.retention import Retention
from clawmesh.journal.runner import ThreadRunner
from clawmesh.journal.store import Store
from clawmesh.journal.writer import Writer


class SqliteJournal:
    """Made by `open_journal`."""

    def __init__(self, writer: Writer, reader: SqliteReader) -> None:
        self._writer = writer
        self._reader = reader

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def trouble(self) -> str:
        return self._writer.trouble

    def append(self, item: Entry | Snapshot) -> int:
        return self._writer.append(item)

    async def durable(self, position: int) -> None:
        await self._writer.durable(position)


@asynccontextmanager
async def open_journal(
    path: Path, *, clock: Clock, keep: float | None, failpoints: Failpoints, warn: Callable[[str], None]
) -> AsyncIterator[SqliteJournal]:
    """Open the journal in this file for this process alone.

    `keep` is how many seconds what has ended is kept, None for ever; `warn` hears of trouble with the disk.

    Raises:
        StorageError: another process has it open, it is damaged, or of a newer version; at the end: something that was
            taken could not be written.
    """
    with ExitStack() as stack:
        await anyio.to_thread.run_sync(prepare, path.parent)
        lock = stack.enter_context(Lock(path))
        await anyio.to_thread.run_sync(lambda: make_ready(path, unclean=lock.unclean, written=lock.written))
        store = Store(str(path), failpoints, lock.mark)
        stack.callback(store.close)
        with ours(str(path)):
            store.open()
        shelf = ThreadShelf(lambda: connect_reading(str(path)), ThreadRunner("journal reader"))
        checkpointer = Checkpointer(store, ThreadRunner("journal checkpointer"))
        retention = Retention(keep, clock, failpoints)
        writer = Writer(store, ThreadRunner("journal writer"), checkpointer, retention, clock, warn)
        writer.start()
        shelf.start()
        glance = connect_reading(str(path))
        glance.set_busy_timeout(0)
        try:
            yield SqliteJournal(writer, SqliteReader(str(path), shelf, store.heads, clock, glance))
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await writer.close()
                finally:
                    checkpointer.close()
                    await shelf.close()
                    glance.close()
                lock.clear()
                with ours(str(path)):
                    await anyio.to_thread.run_sync(store.finish)
