"""Cores that we may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawmesh.cluster.core import cores

ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def group(tmp_path: Path, **quotas: str) -> Path:
    """Make control groups /outer/inner with these quotas; return the file that says we are in the inner one."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for name, quota in quotas.items():
        ((tmp_path / "outer") if name == "outer" else inner).joinpath("cpu.max").write_text(quota)
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
    assert cores(tmp_path, group(tmp_path, **quotas)) == expected


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert cores(tmp_path, tmp_path / "none") == ALL
