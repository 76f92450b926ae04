"""The suite `http`: its parts and its judgement, and its clients against small servers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from clawmesh.bench import crowd, laggard, post
from clawmesh.bench.door import Door, Opener
from clawmesh.bench.http import Part, run
from clawmesh.bench.suite import Advance, Check, check
from clawmesh.bench.watch import Percentiles

LAGS = Percentiles(0.5, 50.0, 60.0)
CROWD = crowd.Figures(10_000, failures=0, connect_seconds=4, events=100_000, cpu_seconds=2, kib_each=25, lags=LAGS)
LAGGARDS = laggard.Figures(each=100, headers=100, bodies=100, readers=100, failures=0, waits=LAGS)


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {each.name: each for each in checks}


def missed(checks: Iterable[Check]) -> list[str]:
    return [each.name for each in checks if not each.ok]


@contextmanager
def nobody(url: str, connections: int) -> Iterator[Door]:
    yield Door(9, connections)


def test_parts_are_measured_in_turn_and_progress_never_goes_back() -> None:
    def part(name: str) -> Part:
        def measure(clients: int, opener: Opener, advance: Advance) -> Iterable[Check]:
            advance(0.5)
            with opener("", clients) as door:
                yield check(name, door.pid, "")

        return Part(name, 10, measure)

    heard: list[tuple[str, float]] = []
    checks = run(7, lambda what, share: heard.append((what, share)), [part("a"), part("b")], nobody)
    assert [(each.name, each.value) for each in checks] == [("a", 7), ("b", 7)]
    assert heard == [("a", 0.0), ("a", 0.25), ("b", 0.5), ("b", 0.75)]


def test_a_crowd_is_judged() -> None:
    told = by_name(crowd.judged("clients", CROWD, lag=50, memory=25))
    assert told["10,000 clients: CPU an event"].value == 20
    assert missed(told.values()) == []
    bad = replace(CROWD, failures=1, kib_each=25.1, lags=Percentiles(0.5, 50.1, 60.0))
    assert missed(crowd.judged("clients", bad, lag=50, memory=25)) == [
        "10,000 clients: failed",
        "10,000 clients: memory each",
        "10,000 clients: lag p99",
    ]
    assert missed(crowd.judged("clients", bad)) == ["10,000 clients: failed"]


def test_fewer_clients_than_asked_for_are_noted() -> None:
    assert [*crowd.shortened("clients", 10, 10)] == []
    (note,) = crowd.shortened("clients", 10, 9)
    assert note.name.startswith("clients, of 10 asked for: the limit of ")
    assert (note.value, note.ok) == (9, True)


def test_requests_are_judged() -> None:
    told = by_name(post.judged("POST", post.Figures(1000, failures=0, seconds=2.0, cpu_seconds=0.1, waits=LAGS)))
    assert (told["POST: requests a second"].value, told["POST: CPU each"].value) == (500, 100)
    assert missed(told.values()) == []


def test_all_slow_clients_are_to_be_cut_off() -> None:
    assert missed(laggard.judged(LAGGARDS)) == []
    bad = replace(LAGGARDS, headers=99, bodies=98, readers=0, failures=1)
    assert len(missed(laggard.judged(bad))) == 4


def test_a_small_crowd_is_counted_for_a_short_time() -> None:
    assert (crowd.span(20), crowd.span(10_000)) == (1.1, 10)
