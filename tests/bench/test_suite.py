from __future__ import annotations

import msgspec

from clawmesh.bench.suite import Machine, Result, at_least, check, rows


def test_a_result_as_json_has_the_agreed_fields() -> None:
    result = Result("backends", Machine(), [check("x", 2.0, "ms", 1.0, {"Go": 3.0})])
    told = msgspec.to_builtins(result)
    assert set(told) == {"suite", "machine", "checks"}
    expected = {"name": "x", "value": 2.0, "unit": "ms", "goal": 1.0, "ok": False, "beside": {"Go": 3.0}}
    assert told["checks"] == [expected | {"least": False}]
    assert msgspec.convert(told, Result) == result


def test_a_result_is_met_when_every_goal_is() -> None:
    met, missed, free = check("a", 1, "", 1), check("b", 2, "", 1), check("c", 9, "")
    assert Result("s", Machine(), [met, free]).ok
    assert not Result("s", Machine(), [met, missed]).ok
    assert [row[3] for row in rows(Result("s", Machine(), [met, missed, free]))] == ["ok", "MISSED", ""]


def test_a_goal_may_be_the_least_that_is_wanted() -> None:
    met, missed = at_least("turns", 1.9, "", 1.8), at_least("turns", 1.7, "", 1.8)
    assert (met.ok, missed.ok) == (True, False)
    assert [row[2] for row in rows(Result("s", Machine(), [met, check("b", 2000, "", 1000)]))] == ["≥ 1.8", "≤ 1,000"]
