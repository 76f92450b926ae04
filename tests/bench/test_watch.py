from __future__ import annotations

from array import array

from clawmesh.bench.watch import Percentiles, Watch
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.messages import Message, Text


def envelope(id: str, *causes: str) -> Envelope:
    to = Address("relay", "s1")
    return Envelope(id=id, sender="user", to=to, kind="ask", message=Message.user("8"), deadline=0.0, causes=causes)


def test_percentiles_are_in_milliseconds() -> None:
    waits = array("q", (number * 1_000_000 for number in range(1000, 0, -1)))
    assert Percentiles.of(waits) == Percentiles(501, 991, 1000)
    assert Percentiles.of(array("q", [2_000_000])) == Percentiles(2, 2, 2)
    assert Percentiles.of(array("q")) == Percentiles(0, 0, 0)


def test_a_wait_is_from_acceptance_to_the_first_word() -> None:
    watch = Watch()
    first, second = envelope("env_1"), envelope("env_2", "env_1")
    watch.accepted(first)
    watch.accepted(second)
    for said in ("", "", "17"):
        watch.piece(first, Text(said))
    watch.ended(first, Outcome(Ending.ANSWERED))
    watch.ended(second, Outcome(Ending.FAILED))
    assert (len(watch.waits), [*watch.told]) == (1, [17])
    assert (watch.roots, watch.endings, watch.failures) == (1, 2, 1)
    watch.reset()
    assert (len(watch.waits), len(watch.told), watch.roots, watch.endings, watch.failures) == (0, 0, 0, 0, 0)
