"""The suite `mesh`: its parts and its judgement."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from clawmesh.bench import endurance, fanout, memory, recovery, routing, scaling, turns
from clawmesh.bench.mesh import Part, run
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.bench.watch import Percentiles
from clawmesh.cluster.home import home

CROWD = turns.Figures(10_000, failures=0, seconds=5, cpu_seconds=5, together=10_000, kib_each=20, peak_mib=300)
WAITS = Percentiles(0.1, 1.0, 2.0)
LOAD = routing.Load(60_000, failures=0, seconds=2.0, cpu_seconds=2.4, waits=WAITS)
ROUTES = routing.Figures(LOAD, LOAD, replace(LOAD, admitted=0.5), asks=WAITS)


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {each.name: each for each in checks}


def missed(checks: Iterable[Check]) -> list[str]:
    return [each.name for each in checks if not each.ok]


def test_parts_are_measured_in_turn_and_progress_never_goes_back() -> None:
    def part(name: str) -> Part:
        def measure(sessions: int, advance: Advance) -> Iterable[Check]:
            advance(0.5)
            yield check(name, sessions, "")

        return Part(name, 10, measure)

    heard: list[tuple[str, float]] = []
    checks = run(7, lambda what, share: heard.append((what, share)), [part("a"), part("b")])
    assert [(each.name, each.value) for each in checks] == [("a", 7), ("b", 7)]
    assert heard == [("a", 0.0), ("a", 0.25), ("b", 0.5), ("b", 0.75)]


def test_turns_are_judged() -> None:
    told = by_name(turns.judged(CROWD))
    assert told["10,000 conversations at once: turns a second"].value == 2000
    assert told["10,000 conversations at once: CPU each"].value == 0.5
    assert missed(told.values()) == []
    bad = replace(CROWD, failures=1, cpu_seconds=7.0, together=9999, peak_mib=401.0)
    crowd = "10,000 conversations at once"
    assert missed(turns.judged(bad)) == [
        f"{crowd}: failed",
        f"{crowd}: CPU each",
        f"{crowd}: under way together",
        f"{crowd}: peak memory",
    ]


def test_routing_is_judged() -> None:
    told = by_name(routing.judged(ROUTES))
    assert told["peak: messages a second"].value == 30_000
    assert told["peak: CPU a message"].value == 40
    assert told["overload: let in of what was offered"].value == 50
    assert missed(told.values()) == []
    slow = replace(LOAD, seconds=4.0)
    late = replace(LOAD, waits=Percentiles(1.0, 51.0, 60.0), failures=2)
    assert missed(routing.judged(routing.Figures(slow, late, late, WAITS))) == [
        "messages between agents: failed",
        "peak: messages a second",
        "half of peak: wait p99",
        "overload: wait p99",
    ]


def test_fan_out_is_judged() -> None:
    told = by_name(fanout.judged(fanout.Figures(10_000, failures=0, seconds=0.5, cpu_seconds=0.4)))
    assert [each.value for each in told.values()] == [0, 50, 40]
    assert missed(fanout.judged(fanout.Figures(10, failures=1, seconds=1, cpu_seconds=1))) == [
        "published to 10 agents: missed it"
    ]


def test_recovery_is_judged() -> None:
    name = "kill -9 with 100 turns in flight"
    assert missed(recovery.judged(recovery.Figures(100, seconds=5.0, bought_twice=0))) == []
    assert missed(recovery.judged(recovery.Figures(100, seconds=5.1, bought_twice=1))) == [
        f"{name}: all resumed after",
        f"{name}: replies bought twice",
    ]


def test_memory_is_judged() -> None:
    assert missed(memory.judged(memory.Figures(warm_kib=7.0, hibernated_kib=0.5, left=0))) == []
    assert len(missed(memory.judged(memory.Figures(warm_kib=7.1, hibernated_kib=0.6, left=1)))) == 3


def test_growth_is_the_slope_over_the_rounds() -> None:
    (growth,) = endurance.judged(endurance.Figures([10_000, 12_000, 11_000, 13_000], messages=10))
    assert growth.value == 80
    (growth,) = endurance.judged(endurance.Figures([13_000, 11_000, 12_000, 10_000], messages=10))
    assert growth.value == 0


def test_scaling_is_held_against_bare_processes() -> None:
    assert missed(scaling.judged(scaling.Figures(gain=1.8, bare=2.0, failures=0))) == []
    assert missed(scaling.judged(scaling.Figures(gain=1.2, bare=1.3, failures=0))) == []
    assert missed(scaling.judged(scaling.Figures(gain=1.7, bare=2.0, failures=1))) == [
        "2 workers beside one: gain",
        "2 workers beside one: failed",
    ]


def test_workers_are_home_to_as_many_sessions() -> None:
    found = [home(name, scaling.WORKERS) for name in scaling.names(100)]
    assert (found.count(0), found.count(1)) == (50, 50)
