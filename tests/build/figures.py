"""Figures to make tables and pictures of."""

from __future__ import annotations

from collections.abc import Iterable

from clawmesh.bench import memory, routing, turns
from clawmesh.bench.suite import Check, Machine, Result
from clawmesh.bench.watch import Percentiles
from contest import Contender, Messages, Rate, Turns, Waits

MACHINE = Machine(cores=2, processor="a processor", memory_gb=8.0, system="a system", python="3.11")
WAITS = Percentiles(0.1, 1.0, 2.0)
LOAD = routing.Load(60_000, failures=0, seconds=2.0, cpu_seconds=2.4, waits=WAITS)


def suite(sessions: int, cpu_seconds: float = 5.0) -> Result:
    """Return what the suite `mesh` finds, by its own words."""
    crowd = turns.Figures(
        turns=sessions,
        failures=0,
        seconds=5.0,
        cpu_seconds=cpu_seconds,
        together=sessions,
        kib_each=20.0,
        peak_mib=300.0,
    )
    found: list[Iterable[Check]] = [
        turns.judged(crowd),
        routing.judged(routing.Figures(LOAD, LOAD, LOAD, asks=WAITS)),
        memory.judged(memory.Figures(warm_kib=6.0, hibernated_kib=0.1, left=0)),
    ]
    return Result("mesh", MACHINE, [check for checks in found for check in checks])


def contender(name: str, cpu_ms: float, failed: int = 0, reason: str = "", messages: bool = False) -> Contender:
    """Return someone who ran 100 turns."""
    costs = {100: Turns(100, failed, 2.5, cpu_ms, 64.0, reason)}
    return Contender(name, costs, Messages(Rate(20_000, 50), Waits(0.1, 0.25, 1), 12.5) if messages else None)
