from __future__ import annotations

import re

from clawmesh.ids import Ids, derive, kin
from clawmesh.testing import ManualClock, seeded_ids


def test_ids_have_a_prefix_and_sixteen_characters() -> None:
    assert re.fullmatch(r"env_[0-9a-hjkmnp-tv-z]{16}", seeded_ids().new("env"))


def test_ids_sort_by_time() -> None:
    clock = ManualClock()
    ids = Ids(clock)
    made = []
    for _ in range(100):
        made.append(ids.new("env"))
        clock.advance(0.001)
    assert made == sorted(made)


def test_ids_of_one_millisecond_never_meet_and_keep_their_order() -> None:
    ids = Ids(ManualClock())
    made = [ids.new("env") for _ in range(10_000)]
    assert made == sorted(set(made))


def test_equal_seeds_give_equal_ids() -> None:
    assert [seeded_ids(7).new("s") for _ in range(3)] == [seeded_ids(7).new("s") for _ in range(3)]


def test_what_is_derived_is_kin_and_the_same_each_time() -> None:
    parent = seeded_ids().new("env")
    child = derive(parent, "one")
    assert child == derive(parent, "one")
    assert len({child, derive(parent, "two"), derive(child, "one")}) == 3
    assert kin(child) == kin(derive(child, "x")) == kin(parent) == parent[:13]
    assert re.fullmatch(r"env_[0-9a-hjkmnp-tv-z]{21}", child)
