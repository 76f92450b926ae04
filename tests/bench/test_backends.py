from __future__ import annotations

import msgspec

from clawmesh.bench.backends import judged, loads
from clawmesh.bench.streams import Figures
from clawmesh.bench.suite import Check

CROWD = "10,000 streams at once"


def figures(requests: int, **changes: float) -> Figures:
    plain = {
        "failures": 0,
        "chunks": requests * 20,
        "cpu_seconds": 1.0,
        "kib_each": 9.0,
        "lag_p50_ms": 1,
        "lag_p99_ms": 4,
    }
    return msgspec.convert({"requests": requests, **plain, **changes}, Figures)


def judge(**changes: float) -> dict[str, Check]:
    found = judged({"alone": figures(1000), "busy": figures(500), "crowd": figures(10_000, **changes)})
    return {each.name: each for each in found}


def test_figures_are_given_per_request_and_per_chunk() -> None:
    assert {name: (each.value, each.unit) for name, each in judge().items()} == {
        f"{CROWD}: failed": (0, ""),
        f"{CROWD}: CPU each": (100, "µs"),
        f"{CROWD}: memory each": (9, "KB"),
        f"{CROWD}: lag p99": (4, "ms"),
        "a streamed request alone: CPU": (1000, "µs"),
        "a chunk at 50,000 a second: CPU": (100, "µs"),
    }


def test_each_goal_is_judged() -> None:
    assert all(each.ok for each in judge().values())
    assert not judge(failures=1)[f"{CROWD}: failed"].ok
    assert not judge(kib_each=12.5)[f"{CROWD}: memory each"].ok
    assert not judge(lag_p99_ms=5.5)[f"{CROWD}: lag p99"].ok


def test_the_crowd_is_as_large_as_asked() -> None:
    assert loads(123)["crowd"].streams == 123
