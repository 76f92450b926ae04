"""What is said of the unpacked executable."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clawmesh.doctor.program import program, unpacked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clawmesh").write_text("program")
    (tmp_path / "clawmesh").chmod(0o755)
    (tmp_path / "manifest").write_text(f"{hashlib.sha256(b'program').hexdigest()} 100755 clawmesh\n")
    return tmp_path


def test_an_unpacked_program_as_it_was_built(folder: Path) -> None:
    (found,) = unpacked(folder)
    assert (found.status, found.text.endswith("every file of it is as it was built")) == ("ok", True)


def test_a_changed_one(folder: Path) -> None:
    (folder / "clawmesh").write_text("another")
    (found,) = unpacked(folder)
    assert (found.status, found.text) == ("fail", f"{folder}/clawmesh: its content has changed")
    assert f"remove {folder}" in found.mend


def test_one_without_a_manifest(tmp_path: Path) -> None:
    (found,) = unpacked(tmp_path)
    assert found.status == "fail"


def test_the_source_needs_no_look() -> None:
    (found,) = program()
    assert "runs from its source" in found.text
