from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clawmesh.errors import PluginError
from clawmesh.plugin.source import Source, find, read
from tests.plugin.workshop import Workshop


def test_the_hash_of_a_file_is_that_of_its_bytes(workshop: Workshop) -> None:
    path = workshop.write("mine.py", "x = 1\n")
    snapshot = read(Source.at(path))
    assert snapshot.digest == hashlib.sha256(b"x = 1\n").hexdigest()
    assert (snapshot.files, snapshot.size) == ({"mine.py": b"x = 1\n"}, 6)


def test_the_hash_of_a_package_knows_names_and_contents(workshop: Workshop) -> None:
    folder = workshop.write("pack/__init__.py", "").parent
    digests = {read(Source.at(folder)).digest}
    path = workshop.write("pack/deep/data.bin", "1")
    digests.add(read(Source.at(folder)).digest)
    path.write_text("2")
    digests.add(read(Source.at(folder)).digest)
    path.rename(path.with_name("other.bin"))
    digests.add(read(Source.at(folder)).digest)
    assert len(digests) == 4
    assert set(read(Source.at(folder)).files) == {"__init__.py", "deep/other.bin"}


def test_a_package_is_bounded(workshop: Workshop) -> None:
    folder = workshop.write("pack/__init__.py", "").parent
    for number in range(1000):
        (folder / f"f{number}").touch(mode=0o644)
    with pytest.raises(PluginError, match=r"is too big for a plugin; at most 1000 files and 32 MiB are taken"):
        read(Source.at(folder))


def test_a_plugin_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError) as caught:
        read(Source.at(tmp_path / "gone.py"))
    assert str(caught.value) == f"{tmp_path}/gone.py: cannot be read: No such file or directory"


def test_plugins_are_found_by_name(workshop: Workshop) -> None:
    for name in ("b.py", "a/__init__.py", "c.txt", "_d.py", "e/module.py"):
        workshop.write(name, "")
    assert [source.name for source in find(workshop.root / "plugins", "user")] == ["a", "b"]


def test_a_folder_that_is_not_there_has_no_plugins(tmp_path: Path) -> None:
    assert find(tmp_path / "none", "user") == []


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plugins").touch()
    with pytest.raises(PluginError, match="cannot be read: Not a directory"):
        find(tmp_path / "plugins", "user")
