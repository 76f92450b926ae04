"""Moves sessions between the journals of workers, when the number of workers has changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import apsw

from clawmesh.config.location import prepare
from clawmesh.errors import StorageError
from clawmesh.failpoint import Failpoints
from clawmesh.journal.connection import close_tidily, connect_writing, ours
from clawmesh.journal.file import make_ready
from clawmesh.journal.heads import Heads
from clawmesh.journal.lock import Lock
from clawmesh.journal.store import newest

SETTLED = "workers"
"""The file that tells for how many workers every session is at home."""
GROUP = 2_000
"""Sessions that are moved in one transaction."""


def move_sessions(folder: Path, workers: int, home: Callable[[str], int], failpoints: Failpoints | None = None) -> int:
    """Bring every session in `folder`, which holds `0.db`, `1.db` and so on, to its home; return how many moved.

    To be called while no worker runs. It may die at any moment: the next call goes on.

    Raises:
        StorageError: a process has one of the files open, or one of them is damaged or cannot be written.
    """
    prepare(folder)
    settled = folder / SETTLED
    if _read(settled) == str(workers):
        return 0
    _write(settled, "")
    with ExitStack() as stack:
        found = sorted(int(path.stem) for path in folder.glob("*.db") if path.stem.isdecimal())
        paths = {number: folder / f"{number}.db" for number in {*found, *range(workers)}}
        connections = {number: stack.enter_context(_held(path)) for number, path in sorted(paths.items())}
        moved = 0
        for number in found:
            with ours(str(paths[number])):
                for target, sessions in _strangers(connections[number], number, home).items():
                    _move(connections[number], paths[target], sessions, failpoints or Failpoints())
                    moved += len(sessions)
    for number in found:
        if number >= workers:
            _remove(paths[number])
    _write(settled, str(workers))
    return moved


def divided(folder: Path) -> int:
    """Return among how many journals the sessions in `folder` are divided; 0 where that is not settled.

    Raises:
        StorageError: it cannot be read.
    """
    text = _read(folder / SETTLED)
    return int(text) if text.isascii() and text.isdigit() else 0


@contextmanager
def _held(path: Path) -> Iterator[apsw.Connection]:
    with Lock(path) as lock, ours(str(path)):
        make_ready(path, unclean=lock.unclean, written=lock.written)
        connection = connect_writing(str(path))
        try:
            heads = Heads()
            heads.load(connection)
            heads.settle_all(connection, newest(connection))
            lock.mark()
            yield connection
        except BaseException:
            connection.close()
            raise
        lock.clear()
        close_tidily(connection)


def _strangers(connection: apsw.Connection, number: int, home: Callable[[str], int]) -> dict[int, list[str]]:
    """Return the sessions of a file that are at home in another, by that one's number."""
    strangers: dict[int, list[str]] = {}
    query = "SELECT session FROM entry WHERE kind = 1 UNION SELECT session FROM snapshot"
    for (session,) in connection.execute(query):
        target = home(session)
        if target != number:
            strangers.setdefault(target, []).append(session)
    return strangers


def _move(connection: apsw.Connection, target: Path, sessions: Sequence[str], failpoints: Failpoints) -> None:
    connection.execute("ATTACH ? AS target", (str(target),))
    connection.execute(TABLES)
    ahead = connection.execute(AHEAD).get
    for start in range(0, len(sessions), GROUP):
        connection.execute("DELETE FROM temp.moving")
        group = sessions[start : start + GROUP]
        connection.executemany("INSERT INTO temp.moving VALUES (?)", [(session,) for session in group])
        connection.execute(CHOOSE)
        for step in (COPY, DROP):
            failpoints.hit("journal.move")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(step, {"ahead": ahead})
            failpoints.hit("journal.moving")
            connection.execute("COMMIT")
            failpoints.hit("journal.moved")
    connection.wal_checkpoint("target")
    connection.execute("DETACH target")


def _remove(path: Path) -> None:
    # The lock says that there is a journal, so it goes before that.
    for suffix in ("-wal", "-shm", ".lock", ""):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, text.encode(), 0)
            os.ftruncate(descriptor, len(text))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


TABLES = """
CREATE TEMP TABLE IF NOT EXISTS moving(session TEXT PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS story(envelope TEXT PRIMARY KEY);
"""
AHEAD = """
SELECT max((SELECT coalesce(max(seq), 0) FROM target.entry), (SELECT coalesce(max(seq), 0) FROM target.snapshot))
"""
CHOOSE = """
DELETE FROM temp.story;
INSERT OR IGNORE INTO temp.story SELECT envelope FROM main.entry JOIN moving USING (session) WHERE kind = 1;
"""
# What a copy that was interrupted has left goes first. The triggers there see to all that follows from the entries.
COPY = """
DELETE FROM target.pending WHERE envelope IN (SELECT envelope FROM story);
DELETE FROM target.dead WHERE envelope IN (SELECT envelope FROM story);
DELETE FROM target.intake WHERE key IN (SELECT key FROM story CROSS JOIN target.entry USING (envelope) WHERE kind = 1);
DELETE FROM target.entry WHERE envelope IN (SELECT envelope FROM story);
INSERT INTO target.entry
    SELECT seq + :ahead, envelope, kind, at, session, key, data, iif(previous, previous + :ahead, 0)
    FROM story CROSS JOIN main.entry USING (envelope) ORDER BY seq;
INSERT OR REPLACE INTO target.head
    SELECT session, max(seq) + :ahead FROM story CROSS JOIN main.entry USING (envelope) WHERE kind = 1 GROUP BY session;
INSERT OR REPLACE INTO target.snapshot
    SELECT seq + :ahead, session, at, data FROM main.snapshot JOIN moving USING (session) ORDER BY seq;
UPDATE target.settled SET seq = (SELECT coalesce(max(seq), 0) FROM target.entry);
"""
DROP = """
DELETE FROM main.pending WHERE envelope IN (SELECT envelope FROM story);
DELETE FROM main.dead WHERE envelope IN (SELECT envelope FROM story);
DELETE FROM main.intake WHERE key IN (SELECT key FROM story CROSS JOIN main.entry USING (envelope) WHERE kind = 1);
DELETE FROM main.entry WHERE envelope IN (SELECT envelope FROM story);
DELETE FROM main.head WHERE session IN (SELECT session FROM moving);
DELETE FROM main.snapshot WHERE session IN (SELECT session FROM moving);
"""
