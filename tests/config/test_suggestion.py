from __future__ import annotations

import pytest

from clawmesh.config.suggestion import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("instrucions", "instructions"),
        ("Base-URL", "base_url"),
        ("url", "base_url"),
        ("models", "model"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_found(name: str, expected: str | None) -> None:
    assert nearest(name, ["instructions", "base_url", "model", "tools"]) == expected


def test_among_many_names_those_that_begin_alike_count() -> None:
    names = [f"helper-{number:05}" for number in range(10_000)]
    assert nearest("helper-1234", [*names, "writer"]) is not None
    assert nearest("wirter", [*names, "writer"]) is None
    assert nearest("writr", [*names, "writer"]) == "writer"


def test_a_hint_names_the_nearest_or_the_choice() -> None:
    assert did_you_mean("tols", ["tools", "model"]) == '; did you mean "tools"?'
    assert did_you_mean("x", ["b", "a"]) == "; expected one of a, b"
    assert did_you_mean("x", ["a"]) == "; expected a"
    assert did_you_mean("x", ["a"], otherwise="there is") == "; there is a"
    assert did_you_mean("x", []) == ""
    many = did_you_mean("x", [f"name{number:02}" for number in range(25)])
    assert many.endswith("name18, name19 and 5 more")
