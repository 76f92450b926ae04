"""What of the machine this process may use: cores and memory, by its own bounds and those of its control groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cores(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Return how many cores we may keep busy, at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([count, *_bounds(cgroups, own, "cpu.max", _quota)])))


def memory(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Return how many bytes of memory we may hold: at most all that the machine has."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min([installed, *_bounds(cgroups, own, "memory.max", float)]))


def _bounds(cgroups: Path, own: Path, name: str, read: Callable[[str], float]) -> Iterator[float]:
    """Yield the bound of our control group and of every one above it (version 2), where there is any."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return  # a system without control groups
    group = next((line[3:].strip("/") for line in lines if line.startswith("0::")), "")
    folder = cgroups / group
    for each in (folder, *folder.parents):
        if cgroups in (each, *each.parents):
            yield from _bound(each / name, read)


def _bound(file: Path, read: Callable[[str], float]) -> Iterator[float]:
    try:
        yield read(file.read_text())
    except (OSError, ValueError):
        return  # there is none, or it is "max"


def _quota(text: str) -> float:
    quota, period = text.split()
    return int(quota) / int(period)
