"""Reads the journal beside the loop, through few connections of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread
import apsw

from clawmesh.abc.journal import Snapshot, Story, Woken
from clawmesh.clock import Clock
from clawmesh.journal import row
from clawmesh.journal.connection import ours
from clawmesh.journal.heads import Heads
from clawmesh.journal.retention import INTAKE_SECONDS

T = TypeVar("T")
CONNECTIONS = 4
# An envelope that is pending, as that for which the session is woken, tells nothing of it yet.
KNOWN = f"""
{row.CHAIN}
SELECT EXISTS (SELECT 1 FROM snapshot WHERE session = :session) OR EXISTS (
    SELECT 1 FROM chain WHERE NOT EXISTS (SELECT 1 FROM pending WHERE pending.envelope = chain.envelope)
)
"""  # noqa: S608 - made of constants


class Shelf(Protocol):
    """Lends connections to what reads."""

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Call the function with a connection."""


class ThreadShelf:
    """Reads in threads, at most four at once, each with a connection which is kept for the next."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._limiter = anyio.CapacityLimiter(CONNECTIONS)
        self._free: list[apsw.Connection] = []

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        return await anyio.to_thread.run_sync(self._lend, work, limiter=self._limiter)

    def close(self) -> None:
        while self._free:
            self._free.pop().close()

    def _lend(self, work: Callable[[apsw.Connection], T]) -> T:
        connection = self._free.pop() if self._free else self._connect()
        try:
            found = work(connection)
        except BaseException:
            connection.close()  # whatever is wrong with it, the next one begins anew
            raise
        self._free.append(connection)
        return found


class SqliteReader:
    """Sees everything that was durable when it was asked.

    With `glance`, a connection for the loop's own thread that never waits for a lock, a session of which nothing is
    known is told at once: that is one search in an index, and a hop to a thread costs ten times as much.
    """

    def __init__(
        self, path: str, shelf: Shelf, heads: Heads, clock: Clock, glance: apsw.Connection | None = None
    ) -> None:
        self._path = path
        self._shelf = shelf
        self._heads = heads
        self._clock = clock
        self._glance = glance

    async def pending(self) -> Sequence[Story]:
        return await self._read(lambda connection: row.stories(connection.execute(PENDING)))

    async def story(self, envelope: str) -> Story:
        found = await self._read(lambda connection: row.stories(connection.execute(row.STORY, (envelope,))))
        return found[0] if found else []

    async def find(self, key: str) -> str:
        since = self._clock.now() - INTAKE_SECONDS
        query = "SELECT envelope FROM intake WHERE key = ? AND at >= ?"
        return await self._read(lambda connection: connection.execute(query, (key, since)).get or "")

    async def wake(self, session: str) -> Woken:
        if self._glance is not None and not self._exists(self._glance, session):
            return Woken(None, [])
        head = self._heads.of(session)  # before the table is read, which has it afterwards
        return await self._read(lambda connection: _wake(connection, session, head))

    def _exists(self, glance: apsw.Connection, session: str) -> bool:
        with ours(self._path):
            try:
                head = self._heads.of(session) or glance.execute(HEAD, (session,)).get
                return bool(glance.execute(KNOWN, {"session": session, "head": head, "low": 0}).get)
            except apsw.BusyError:
                return True

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        with ours(self._path):
            return await self._shelf.read(work)


PENDING = """
SELECT entry.envelope, kind, at, entry.session, key, data FROM pending JOIN entry ON entry.envelope = pending.envelope
ORDER BY pending.seq, entry.seq
"""
SNAPSHOT = "SELECT seq, at, data FROM snapshot WHERE session = ?"
HEAD = "SELECT seq FROM head WHERE session = ?"
TAIL = f"""
{row.CHAIN}
SELECT told.envelope, told.kind, told.at, told.session, told.key, told.data
FROM chain JOIN entry AS told ON told.envelope = chain.envelope
WHERE chain.seq > :low AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.envelope = chain.envelope)
ORDER BY chain.seq, told.seq
"""  # noqa: S608 - made of constants


def _wake(connection: apsw.Connection, session: str, head: int | None) -> Woken:
    connection.execute("BEGIN")
    try:
        found = connection.execute(SNAPSHOT, (session,)).fetchone()
        low, at, data = found or (0, 0.0, b"")
        if head is None:
            head = connection.execute(HEAD, (session,)).get
        tail = row.stories(connection.execute(TAIL, {"session": session, "head": head, "low": low}))
    finally:
        connection.execute("ROLLBACK")
    return Woken(Snapshot(session, at, data) if found else None, tail)
