"""How many cores this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cores(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Return how many cores we may keep busy, at least 1: by affinity, and by the quota of our control groups."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([count, *_quotas(cgroups, own)])))


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """Yield the quota of our control group and of every one above it, in cores."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return  # a system without control groups
    group = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    folder = cgroups / group
    for each in (folder, *folder.parents):
        if cgroups in (each, *each.parents):
            yield from _quota(each / "cpu.max")


def _quota(file: Path) -> Iterator[float]:
    try:
        quota, period = file.read_text().split()
        yield int(quota) / int(period)
    except (OSError, ValueError):
        return  # there is none, or it is "max"
