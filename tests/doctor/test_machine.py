"""What is said of machines, some of them invented."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawmesh.doctor import machine

MIB = 1 << 20


@pytest.mark.parametrize(("limit", "status"), [(128, "fail"), (1024, "warn"), (65_536, "ok"), (-1, "ok")])
def test_file_descriptors(limit: int, status: str) -> None:
    assert machine.descriptors(limit).status == status
    assert machine.descriptors().check == "file descriptors"


@pytest.mark.parametrize(
    ("free", "most", "status"), [(8000, 100, "fail"), (300, 8000, "warn"), (4000, 8000, "ok"), (None, 8000, "ok")]
)
def test_memory(tmp_path: Path, free: int | None, most: int, status: str) -> None:
    meminfo = tmp_path / "meminfo"
    if free is not None:
        meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable:  {free * 1024} kB\n")
    assert machine.room(meminfo, most * MIB).status == status


def test_a_clock_that_is_right(tmp_path: Path) -> None:
    (found,) = machine.clock(tmp_path, source=tmp_path / "none")
    assert found.status == "ok"


def test_a_clock_before_this_program(tmp_path: Path) -> None:
    (found,) = machine.clock(tmp_path, now=0.0, source=tmp_path / "none")
    assert (found.status, "before this program was made" in found.text) == ("fail", True)


def test_a_clock_before_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "0.db").write_bytes(b"")
    os.utime(tmp_path / "journal" / "0.db", (4e9, 4e9))
    (found,) = machine.clock(tmp_path, now=4e9 - 600, source=tmp_path / "none")
    assert (found.status, found.text.endswith("was written to 600 s later")) == ("fail", True)


def test_a_slow_clock(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("hpet\n")
    assert [found.status for found in machine.clock(tmp_path, source=tmp_path / "source")] == ["ok", "warn"]


def test_a_kernel_that_promises_little(tmp_path: Path) -> None:
    (tmp_path / "overcommit").write_text("2\n")
    facts, warning = machine.system(tmp_path / "overcommit")
    assert "Linux" in facts.text
    assert warning.status == "warn"


def test_what_keeps_tools_in_bounds_is_a_fact() -> None:
    found = machine.sandbox()
    assert (found.status, "Landlock" in found.text) == ("ok", True)
