"""Where sessions live."""

from __future__ import annotations

import pytest

from clawmesh.cluster.home import home


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_a_conversation_stays_together(workers: int) -> None:
    kin = ["s1", "lead/s1", "writer/lead~s1", "lead~s1", "critic/writer~lead~s1"]
    assert len({home(session, workers) for session in kin}) == 1


def test_the_rule_never_changes() -> None:
    assert [home(f"a/s{number}", 4) for number in range(8)] == [2, 0, 2, 0, 3, 1, 3, 1]


def test_conversations_are_spread_evenly() -> None:
    counts = [0, 0, 0, 0]
    for number in range(10_000):
        counts[home(f"agent/session-{number}", 4)] += 1
    assert min(counts) > 2_200
