"""Reads the journal beside the loop, through a connection of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import apsw
from msgspec.json import Decoder

from clawmesh.abc.journal import Snapshot, Story, Woken
from clawmesh.clock import Clock
from clawmesh.errors import StorageError
from clawmesh.journal import row
from clawmesh.journal.connection import ours
from clawmesh.journal.heads import Heads
from clawmesh.journal.retention import INTAKE_SECONDS
from clawmesh.journal.runner import Runner

T = TypeVar("T")
Read: TypeAlias = tuple[asyncio.Future[Any], Any, Exception | None]

AT_ONCE = 16
"""Answers that are told to the loop together."""
# An envelope that is pending and the first, as that for which the session is woken, tells nothing of it yet.
KNOWN = """
SELECT EXISTS (SELECT 1 FROM snapshot WHERE session = :session) OR EXISTS (
    SELECT 1 FROM entry WHERE seq = coalesce(:fresh, (SELECT seq FROM head WHERE session = :session))
    AND (previous OR NOT EXISTS (SELECT 1 FROM pending WHERE pending.envelope = entry.envelope))
)
"""


class Shelf(Protocol):
    """Lends connections to what reads."""

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Call the function with a connection."""


class ThreadShelf:
    """Reads in a thread, in the order in which it was asked, through one connection.

    A thread of its own serves all who wait with one change of threads, where a pool has one for each of them.
    """

    def __init__(self, connect: Callable[[], apsw.Connection], runner: Runner) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._runner = runner
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[tuple[Callable[[apsw.Connection], Any], asyncio.Future[Any]]] = deque()
        self._closed = ""

    def start(self) -> None:
        self._runner.start(self._step, self._break)

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        if self._closed:
            raise StorageError(self._closed)
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.append((work, future))
        self._runner.wake()
        return await future

    async def close(self) -> None:
        await self._runner.stop()
        self._break(StorageError("the journal is closed"))
        if self._connection is not None:
            self._connection.close()

    def _step(self) -> None:
        read: list[Read] = []
        while self._jobs:
            work, future = self._jobs.popleft()
            read.append((future, *self._attempt(work)))
            if len(read) == AT_ONCE:
                self._runner.tell(_deliver, read)
                read = []
        if read:
            self._runner.tell(_deliver, read)

    def _attempt(self, work: Callable[[apsw.Connection], Any]) -> tuple[Any, Exception | None]:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection), None
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()  # whatever is wrong with it, the next one begins anew
            return None, error

    def _break(self, error: BaseException) -> None:
        self._closed = str(error) or repr(error)
        while self._jobs:
            future = self._jobs.popleft()[1]
            if not future.done():
                future.set_exception(StorageError(self._closed))


def _deliver(read: Sequence[Read]) -> None:
    for future, value, error in read:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)


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
                return bool(glance.execute(KNOWN, {"session": session, "fresh": self._heads.of(session)}).get)
            except apsw.BusyError:
                return True

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        with ours(self._path):
            return await self._shelf.read(work)


# CROSS JOIN keeps the order in which it stands: the other one would go through all entries.
PENDING = """
SELECT entry.envelope, kind, at, entry.session, key, data
FROM pending CROSS JOIN entry ON entry.envelope = pending.envelope
ORDER BY pending.seq, entry.seq
"""
# Most sessions were left with a snapshot and nothing after it, which takes a twentieth of the time of the other query.
LEFT = """
SELECT snapshot.seq, snapshot.at, snapshot.data, coalesce(:fresh, (SELECT seq FROM head WHERE head.session = :session))
FROM (SELECT 1) LEFT JOIN snapshot ON snapshot.session = :session
"""
# All in one row, because a row gives the interpreter's lock away and has to wait for it again. JSON has no bytes, and
# rounds fractions.
WAKE = f"""
{row.CHAIN},
told AS (
    SELECT entry.*, chain.seq AS arrived FROM chain CROSS JOIN entry ON entry.envelope = chain.envelope
    WHERE NOT EXISTS (SELECT 1 FROM pending WHERE pending.envelope = chain.envelope)
)
SELECT (
    SELECT json_group_array(
        json_array(envelope, kind, format('%!.17g', at), session, key, hex(data)) ORDER BY arrived, seq
    ) FROM told
), snapshot.at, snapshot.data
FROM (SELECT 1) LEFT JOIN snapshot ON snapshot.session = :session
"""  # noqa: S608 - made of constants

TOLD = Decoder(list[tuple[str, int, str, str, str, str]])


def _wake(connection: apsw.Connection, session: str, fresh: int | None) -> Woken:
    values = {"session": session, "fresh": fresh}
    left = connection.execute(LEFT, values).fetchone()
    assert left is not None  # there is always one row
    seq, at, data, head = left
    rows: list[row.Row] = []
    if head is not None and head > (seq or 0):
        found = connection.execute(WAKE, values).fetchone()
        assert found is not None
        told, at, data = found
        rows = [
            (envelope, kind, float(moment), session, key, bytes.fromhex(content))
            for envelope, kind, moment, session, key, content in TOLD.decode(told)
        ]
    return Woken(None if at is None else Snapshot(session, at, data), row.stories(rows))
