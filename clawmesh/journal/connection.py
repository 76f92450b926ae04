"""Connections to the journal's database, and its faults in the words of this program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw

from clawmesh.errors import StorageError

# Older ones can lose what a checkpoint has taken out of the write-ahead log.
OLDEST_LIBRARY = (3, 51, 3)
PASSING = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.BusyError, apsw.NoMemError)
"""Faults that may be over in a moment; no other mends itself."""
BUSY_MILLISECONDS = 5_000
WRITER_CACHE_KIB, READER_CACHE_KIB = 8_192, 512
PIECE = 1 << 16
"""SQLite writes less than 128 KiB at once, and takes twice that for nothing at all: a full disk."""


def require_library(version: str) -> None:
    """Refuse a SQLite that is too old to be trusted with the journal.

    Raises:
        StorageError: it is older than 3.51.3.
    """
    if tuple(map(int, version.split("."))) < OLDEST_LIBRARY:
        oldest = ".".join(map(str, OLDEST_LIBRARY))
        raise StorageError(f"the journal needs SQLite {oldest} or newer, found {version}: older ones can lose data")


def connect_writing(path: str, vfs: str = "", *, alone: bool = False) -> apsw.Connection:
    """Open the database for writing, without any checkpoint but those that are asked for.

    Closing leaves the write-ahead log where it is: after a bad end its absence tells that somebody removed it.
    `alone` takes the file for this one connection, which a file system without shared memory needs.
    """
    require_library(apsw.sqlite_lib_version())
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs=vfs or None)
    try:
        if alone:
            connection.pragma("locking_mode", "EXCLUSIVE")  # before anything is read: the log would need shared memory
        _set_up(connection, WRITER_CACHE_KIB)
        connection.pragma("auto_vacuum", "INCREMENTAL")
        connection.pragma("journal_mode", "WAL")
        connection.pragma("synchronous", "FULL")
        connection.pragma("wal_autocheckpoint", 0)
    except BaseException:
        connection.close(force=True)  # the disk fails: closing may fail, too, and that says no more
        raise
    return connection


def renew_log(path: str, vfs: str = "") -> None:
    """Write the write-ahead log that is there once more as it is, before anything is built on it.

    The process that wrote it may have died after a sync failed. Then the system shows what the disk does not have, and
    brings it there only if it is written again.
    """
    try:
        log = apsw.VFSFile(vfs, f"{path}-wal", [apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_WAL, 0])
    except apsw.CantOpenError:
        return  # there is none
    try:
        size = log.xFileSize()
        for offset in range(0, size, PIECE):
            log.xWrite(log.xRead(min(PIECE, size - offset), offset), offset)
        if size:
            log.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        log.xClose()


def connect_reading(path: str, vfs: str = "", *, uri: bool = False) -> apsw.Connection:
    """Open the database for reading alone."""
    flags = apsw.SQLITE_OPEN_READONLY | (apsw.SQLITE_OPEN_URI if uri else 0)
    connection = apsw.Connection(path, flags, vfs=vfs or None)
    _set_up(connection, READER_CACHE_KIB)
    return connection


def connect_viewing(path: Path) -> apsw.Connection:
    """Connect for reading, also where nothing can be written, as on a backup: then the file is complete without a log.

    Raises:
        StorageError: nothing can be written there, and the file has a log beside it.
    """
    connection = connect_reading(str(path))
    try:
        connection.pragma("user_version")
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StorageError(
                f"{path} has a log beside it, which cannot be read where nothing can be written: make {path.parent}"
                " writable, or copy both elsewhere"
            ) from None
        return connect_alone(path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_alone(path: Path) -> apsw.Connection:
    """Connect for reading to a file that nobody writes to and that has no log; nothing is made beside it."""
    return connect_reading(f"file:{quote(str(path))}?immutable=1", uri=True)


def close_tidily(connection: apsw.Connection) -> None:
    """Close the last connection, with everything in the database and no log beside it."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    connection.close()


@contextmanager
def ours(path: str) -> Iterator[None]:
    """Turn SQLite's errors into StorageError."""
    try:
        yield
    except apsw.Error as error:
        raise StorageError(explain(error, path)) from error


def explain(error: apsw.Error, path: str) -> str:
    """Say in a sentence what went wrong with which file."""
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return f"the journal {path} is damaged ({error}): restore a backup, or move it away to begin anew"
    extended = getattr(error, "extendedresult", 0)
    if extended == apsw.SQLITE_IOERR_SHMSIZE:
        return f"the disk is full: there is no room for what is needed beside the journal {path}"
    if isinstance(error, apsw.FullError):
        return f"the disk is full: the journal {path} cannot be written"
    if isinstance(error, apsw.IOError):
        kind = apsw.mapping_extended_result_codes.get(extended, "SQLITE_IOERR")
        return f"the disk failed under the journal {path} ({kind})"
    return f"the journal {path} cannot be used: {error}"


def _set_up(connection: apsw.Connection, cache_kib: int) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    connection.pragma("cell_size_check", True)
    connection.pragma("trusted_schema", False)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("temp_store", "MEMORY")
