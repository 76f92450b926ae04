"""Connections: what is done to the files before anything is built on them."""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest

from clawmesh.errors import StorageError
from clawmesh.journal.connection import PIECE, connect_writing, ours, renew_log
from clawmesh.testing.disk import Disk


@pytest.mark.parametrize("pieces", [0, 1, 40])
def test_a_log_of_any_size_is_written_once_more_as_it_is(tmp_path: Path, pieces: int) -> None:
    path = str(tmp_path / "journal.db")
    log = tmp_path / "journal.db-wal"
    with closing(connect_writing(path)) as connection:
        connection.execute("CREATE TABLE note(text)")
        connection.executemany("INSERT INTO note VALUES (?)", [("x" * PIECE,)] * pieces)
    before = log.read_bytes()
    assert len(before) > pieces * PIECE
    renew_log(path)
    assert log.read_bytes() == before


def test_without_a_log_nothing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    renew_log(str(path))
    assert [*tmp_path.iterdir()] == [path]


def test_a_disk_that_fails_leaves_no_connection_behind() -> None:
    """One that is forgotten would be closed by whoever comes by, and fail there."""
    disk = Disk(Random(0))
    disk.failing = 1000
    with disk.mounted() as vfs, pytest.raises(apsw.IOError):
        connect_writing("/journal.db", vfs, alone=True)
    gc.collect()


def test_no_room_for_what_lies_beside_the_journal_is_a_full_disk() -> None:
    with pytest.raises(StorageError, match=r"^the disk is full: "), ours("0.db"):
        raise apsw.exception_for(apsw.SQLITE_IOERR_SHMSIZE)
    failed = r"^the disk failed under the journal 0.db \(SQLITE_IOERR_FSYNC\)$"
    with pytest.raises(StorageError, match=failed), ours("0.db"):
        raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
