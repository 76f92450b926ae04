"""What we may use, told by control groups that the test writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawmesh.machine import cores, memory

ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


INSTALLED = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def group(tmp_path: Path, file: str, **bounds: str) -> Path:
    """Make control groups /outer/inner with these bounds; return the file that says we are in the inner one."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for name, bound in bounds.items():
        ((tmp_path / "outer") if name == "outer" else inner).joinpath(file).write_text(bound)
    own = tmp_path / "own"
    own.write_text("0::/outer/inner\n")
    return own


@pytest.mark.parametrize(
    ("quotas", "expected"),
    [
        ({}, ALL),
        ({"inner": "max 100000\n"}, ALL),
        ({"inner": "100000 100000\n"}, 1),
        ({"inner": "50000 100000\n"}, 1),
        ({"outer": "100000 100000\n", "inner": "max 100000\n"}, 1),
        ({"inner": "6400000 100000\n"}, ALL),
    ],
)
def test_the_smallest_quota_counts(tmp_path: Path, quotas: dict[str, str], expected: int) -> None:
    assert cores(tmp_path, group(tmp_path, "cpu.max", **quotas)) == expected


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert cores(tmp_path, tmp_path / "none") == ALL


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, INSTALLED),
        ({"inner": "max\n"}, INSTALLED),
        ({"inner": "67108864\n"}, 67_108_864),
        ({"outer": "1048576\n", "inner": "67108864\n"}, 1_048_576),
        ({"inner": f"{2**62}\n"}, INSTALLED),
    ],
)
def test_the_smallest_bound_on_memory_counts(tmp_path: Path, bounds: dict[str, str], expected: int) -> None:
    assert memory(tmp_path, group(tmp_path, "memory.max", **bounds)) == expected
