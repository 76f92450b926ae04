"""What a benchmark suite finds: figures, each held against its goal."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field

Progress: TypeAlias = Callable[[str, float], None]
"""Hears what is being measured, and which share of the whole suite is done."""

Advance: TypeAlias = Callable[[float], None]
"""Hears which share of one measurement is done."""


class Check(Struct, frozen=True):
    """One figure. It is met when it is at most `goal`, or at least if `least`; without a goal it only informs.

    `beside` holds the same figure of references measured in the same run, by their name.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    ok: bool = True
    beside: Mapping[str, float] = {}
    least: bool = False

    @property
    def aim(self) -> str:
        """The goal in words, "" where there is none."""
        return "" if self.goal is None else f"{'≥' if self.least else '≤'} {self.goal:,.6g}"


def check(
    name: str, value: float, unit: str, goal: float | None = None, beside: Mapping[str, float] | None = None
) -> Check:
    """Return a figure that is to be at most `goal`."""
    return Check(name, round(value, 3), unit, goal, goal is None or value <= goal, beside or {})


def at_least(name: str, value: float, unit: str, goal: float, beside: Mapping[str, float] | None = None) -> Check:
    """Return a figure that is to be no less than `goal`."""
    return Check(name, round(value, 3), unit, goal, value >= goal, beside or {}, least=True)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


class Machine(Struct, frozen=True):
    """What the figures were measured on; `load` is how many processes wanted a core in the minute before."""

    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    processor: str = field(default_factory=_processor)
    memory_gb: float = field(default_factory=lambda: round(_memory() / 1024**3, 1))
    system: str = field(default_factory=platform.platform)
    python: str = field(default_factory=platform.python_version)
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))


class Result(Struct, frozen=True):
    """All figures of a suite."""

    suite: str
    machine: Machine
    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return a table's rows: name, value with its unit, goal, verdict, references."""
    return [
        (
            check.name,
            f"{check.value:,.6g} {check.unit}".strip(),
            check.aim,
            "" if check.goal is None else "ok" if check.ok else "MISSED",
            ", ".join(f"{name} {value:,.6g}" for name, value in check.beside.items()),
        )
        for check in result.checks
    ]


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
