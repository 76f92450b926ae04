from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clawmesh.errors import PluginError, StorageError
from clawmesh.plugin.source import Snapshot, Source
from clawmesh.plugin.trust import Trust

SOURCE = Source.at(Path("/somewhere/mine.py"))
SNAPSHOT = Snapshot({"mine.py": b"x = 1"}, "a1")


def test_only_these_bytes_at_this_place_are_trusted(tmp_path: Path) -> None:
    file = tmp_path / "data" / "trust.toml"
    assert Trust.open(file).standing(SOURCE, SNAPSHOT) == "untrusted"
    Trust.open(file).add(SOURCE, SNAPSHOT)
    trust = Trust.open(file)
    assert trust.standing(SOURCE, SNAPSHOT) == "trusted"
    assert trust.standing(SOURCE, Snapshot({}, "b2")) == "changed"
    assert trust.standing(Source.at(Path("/elsewhere/mine.py")), SNAPSHOT) == "untrusted"
    trust.remove(SOURCE)
    assert Trust.open(file).standing(SOURCE, SNAPSHOT) == "untrusted"


def test_nobody_else_can_read_or_write_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Trust.open(tmp_path / "data" / "trust.toml").add(SOURCE, SNAPSHOT)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()} == {0o600}


def test_a_folder_that_others_can_write_trusts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "data" / "trust.toml"
    Trust.open(file).add(SOURCE, SNAPSHOT)
    file.parent.chmod(0o777)
    with pytest.raises(StorageError) as caught:
        Trust.open(file)
    assert str(caught.value) == f"{file.parent}: can be written by others (mode 0777); check it, then chmod 700 it"


def test_a_file_that_others_can_write_trusts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "trust.toml"
    Trust.open(file).add(SOURCE, SNAPSHOT)
    file.chmod(0o660)
    with pytest.raises(StorageError) as caught:
        Trust.open(file)
    assert str(caught.value) == f"{file}: can be written by others (mode 0660); check it, then chmod 600 it"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"sha256 = [", "Invalid value (at end of document)"),
        (b"sha256 = 3", "sha256 must map paths to hashes"),
        (b"[sha256]\na = 3", "sha256 must map paths to hashes"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: bytes, reason: str) -> None:
    file = tmp_path / "trust.toml"
    file.write_bytes(text)
    file.chmod(0o600)
    with pytest.raises(PluginError) as caught:
        Trust.open(file)
    assert str(caught.value) == f"{file}: is damaged: {reason}; remove it and trust your plugins again"


def test_changes_made_at_once_are_all_kept(tmp_path: Path) -> None:
    trust = Trust.open(tmp_path / "trust.toml")
    sources = [Source.at(Path(f"/p/{number}.py")) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda source: trust.add(source, SNAPSHOT), sources))
    assert set(Trust.open(trust.file).digests) == {str(source.path) for source in sources}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, where a folder should be")
    file = tmp_path / "data" / "trust.toml"
    with pytest.raises(StorageError, match="cannot be"):
        Trust(file, {}).add(SOURCE, SNAPSHOT)
