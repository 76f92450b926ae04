"""The database under the journal: commits what it is given, in batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.failpoint import Failpoints
from clawmesh.journal.bulk import Bulk
from clawmesh.journal.connection import PASSING, close_tidily, connect_writing
from clawmesh.journal.heads import Heads
from clawmesh.journal.soundness import require_sound

ENTRIES = Bulk(
    "INTO entry",
    8,
    select="column1, column2, column3, column4, column5, column6, column7,"
    " coalesce(column8, (SELECT seq FROM head WHERE session = column5), 0)",
)
SNAPSHOTS = Bulk("OR REPLACE INTO snapshot", 4)


class Store:
    """Used by one thread at a time. Its methods raise apsw.Error; after one, nothing of what failed is there.

    `mark` is called after each commit, before anybody hears of it. `alone` says that nobody else can open the database,
    because its file system has no shared memory.
    """

    def __init__(
        self, path: str, failpoints: Failpoints, mark: Callable[[], None], *, vfs: str = "", alone: bool = False
    ) -> None:
        self.path = path
        self.alone = alone
        self.position = 0
        """Of the newest item that is on disk."""
        self.heads = Heads()
        self._vfs = vfs
        self._failpoints = failpoints
        self._mark = mark
        self._connection: apsw.Connection | None = None
        self._place = (0, 0)

    def open(self) -> None:
        """Connect and see what is there."""
        connection = connect_writing(self.path, self._vfs, alone=self.alone)
        try:
            self.position = max(self.position, newest(connection))
            self.heads.load(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._place = self._seen()

    @property
    def connection(self) -> apsw.Connection:
        """The connection that writes."""
        if self._connection is None:
            raise apsw.CantOpenError("it is not open")
        return self._connection

    def another(self) -> apsw.Connection:
        """Open one more connection that may write, for what runs beside the writer."""
        return connect_writing(self.path, self._vfs)

    @property
    def written(self) -> int:
        """How many pages went into the write-ahead log since the connection was opened."""
        return self.connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]

    def write(self, items: Sequence[Entry | Snapshot], first: int) -> None:
        """Commit items, whose positions count from `first`. Those that are on disk already are passed over."""
        connection = self.connection
        if self._seen() != self._place:
            raise apsw.CantOpenError("it is not where it was, or is another file")
        start = max(first, self.position + 1)
        items = items[start - first :]
        if not items:
            return
        self._failpoints.hit("journal.begin")
        connection.execute("BEGIN IMMEDIATE")
        try:
            accepted = self._insert(connection, items, start)
            self.heads.settle(connection)
            self._failpoints.hit("journal.commit")
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
        self._mark()
        self.position = start + len(items) - 1
        self.heads.committed(accepted, self.position)
        self._failpoints.hit("journal.committed")

    def reopen(self) -> None:
        """Go on with a new connection after the disk failed.

        The old one is closed last: while one is open, the index of the write-ahead log leaves out what failed. Read
        from the log itself it would seem to be there, but the disk might not have it.
        """
        if self.alone:
            return
        old, self._connection = self._connection, None
        try:
            self.open()
            require_sound(self.connection)
        finally:
            if old is not None:
                old.close()

    def checkpoint(self, connection: apsw.Connection | None = None) -> int:
        """Bring the write-ahead log into the database; return how many pages the log has."""
        self._failpoints.hit("journal.checkpoint")
        pages, _done = (connection or self.connection).wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._failpoints.hit("journal.checkpointed")
        return pages

    def finish(self) -> None:
        """Close with everything in the database and no log beside it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            self.heads.settle_all(connection, self.position)
        except PASSING:
            roll_back(connection)  # what is not in the table the next process finds in the log
        finally:
            close_tidily(connection)

    def close(self) -> None:
        """Close and leave all as it is."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _insert(self, connection: apsw.Connection, items: Sequence[Entry | Snapshot], first: int) -> dict[str, int]:
        """Insert items at the positions from `first`; return the newest accepted entry of each session among them."""
        entries: list[Any] = []
        snapshots: list[Any] = []
        accepted: dict[str, int] = {}
        for position, item in enumerate(items, first):
            if isinstance(item, Snapshot):
                snapshots += (position, item.session, item.at, item.data)
                continue
            previous: int | None = 0
            if item.kind is Kind.ACCEPTED:
                previous = accepted.get(item.session) or self.heads.of(item.session)
                accepted[item.session] = position
            entries += (position, item.envelope, item.kind, item.at, item.session, item.key, item.data, previous)
        ENTRIES.insert(connection, entries)
        SNAPSHOTS.insert(connection, snapshots)
        return accepted

    def _seen(self) -> tuple[int, int]:
        """Return what tells the file from any other; only the system's own file systems have that."""
        if self._vfs:
            return (0, 0)
        try:
            status = os.stat(self.path)
        except OSError:
            return (0, 0)
        return (status.st_dev, status.st_ino)


def newest(connection: apsw.Connection) -> int:
    """Return the position of the newest item that ever was: one that is forgotten is not given again."""
    query = """
        SELECT max(
            (SELECT coalesce(max(seq), 0) FROM entry), (SELECT coalesce(max(seq), 0) FROM snapshot),
            (SELECT seq FROM settled)
        )
    """
    return int(connection.execute(query).get)


def roll_back(connection: apsw.Connection) -> None:
    """Leave the transaction, unless SQLite has left it itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
