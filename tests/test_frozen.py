"""The parts of running from one file that can be tried without it; tests/build has the rest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clawmesh.errors import StorageError
from clawmesh.frozen import LazyHooks, restore, verify


def test_the_environment_is_as_the_user_had_it() -> None:
    environ = {"_PYI_ARCHIVE_FILE": "x", "LD_LIBRARY_PATH": "/bundled:/mine", "LD_LIBRARY_PATH_ORIG": "/mine", "A": "1"}
    restore(environ)
    assert environ == {"LD_LIBRARY_PATH": "/mine", "A": "1"}


def test_a_library_path_that_the_user_had_not_goes() -> None:
    environ = {"LD_LIBRARY_PATH": "/bundled"}
    restore(environ)
    assert environ == {}


def test_only_hooked_modules_are_loaded_differently() -> None:
    hooks = LazyHooks()
    assert hooks.find_spec("json") is None
    spec = hooks.find_spec("pkgutil")
    assert spec is not None
    assert type(spec.loader).__name__ == "HookedLoader"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two files, with a manifest and named as the launcher names it."""
    lines = []
    for name in ("library", "program"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o755)
        lines.append(f"{hashlib.sha256(name.encode()).hexdigest()} 100755 {name}\n")
    (tmp_path / "manifest").write_text("".join(lines))
    named = tmp_path / hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
    named.mkdir()
    for name in ("library", "program", "manifest"):
        (tmp_path / name).rename(named / name)
    return named


def test_a_folder_as_it_was_built_has_no_fault(folder: Path) -> None:
    assert list(verify(folder)) == []


def test_a_folder_of_another_name_is_verified_by_its_manifest(folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "clawmesh")
    assert list(verify(tmp_path / "clawmesh")) == []


def test_every_changed_file_is_named(folder: Path) -> None:
    (folder / "library").write_text("LIBRARY")
    (folder / "program").chmod(0o700)
    assert list(verify(folder)) == [
        f"{folder}/library: its content has changed",
        f"{folder}/program: has mode 100700 instead of 100755",
    ]


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "library").unlink()
    assert list(verify(folder)) == [f"{folder}/library: cannot be read: No such file or directory"]


def test_a_changed_manifest_is_not_believed(folder: Path) -> None:
    (folder / "manifest").write_text("")
    assert list(verify(folder)) == [f"{folder}/manifest: does not belong to this folder"]


def test_a_folder_without_a_manifest_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"manifest: cannot be read: No such file"):
        list(verify(tmp_path))
