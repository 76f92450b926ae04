from __future__ import annotations

import stat
from pathlib import Path

import apsw
import pytest

from clawmesh.errors import StorageError
from clawmesh.journal import schema
from clawmesh.journal.connection import require_library
from clawmesh.journal.file import make_ready
from tests.journal.samples import accepted, ended, opened

pytestmark = pytest.mark.anyio
SECOND = "ALTER TABLE entry ADD COLUMN note TEXT NOT NULL DEFAULT 'none'; CREATE INDEX entry_note ON entry(note);"
BROKEN = "ALTER TABLE entry ADD COLUMN other TEXT; INSERT INTO nowhere VALUES (1);"


def column(path: Path, query: str) -> list[object]:
    connection = apsw.Connection(str(path))
    found = [row[0] for row in connection.execute(query)]
    connection.close()
    return found


async def test_every_version_becomes_the_newest_with_a_backup_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "0.db"
    async with opened(path) as journal:
        journal.append(accepted("a"))
        journal.append(ended("a"))
    make_ready(path, unclean=False, steps=[*schema.STEPS, SECOND])
    assert column(path, "SELECT note FROM entry") == ["none", "none"]
    assert column(path, "PRAGMA user_version") == [len(schema.STEPS) + 1]
    backup = tmp_path / f"0.db.version-{len(schema.STEPS)}"
    assert column(backup, "SELECT envelope FROM entry") == ["env_a", "env_a"]
    assert column(backup, "PRAGMA user_version") == [len(schema.STEPS)]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


async def test_a_step_that_fails_leaves_the_version_before(tmp_path: Path) -> None:
    path = tmp_path / "0.db"
    async with opened(path) as journal:
        journal.append(accepted("a"))
    with pytest.raises(StorageError, match="no such table: nowhere"):
        make_ready(path, unclean=False, steps=[*schema.STEPS, SECOND, BROKEN])
    async with opened(path) as journal:
        assert await journal.reader.pending() == [[accepted("a")]]


def test_a_backup_that_was_interrupted_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "0.db"
    make_ready(path, unclean=False)
    (tmp_path / "0.db.version-1.part").write_bytes(b"half")
    make_ready(path, unclean=False, steps=[*schema.STEPS, SECOND])
    assert column(tmp_path / "0.db.version-1", "SELECT count(*) FROM entry") == [0]
    assert not (tmp_path / "0.db.version-1.part").exists()


def test_a_library_that_can_lose_data_is_refused() -> None:
    require_library("3.51.3")
    require_library("4.0.0")
    with pytest.raises(StorageError, match=r"needs SQLite 3.51.3 or newer, found 3.51.2"):
        require_library("3.51.2")
