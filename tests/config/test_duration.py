from __future__ import annotations

from typing import Any

import pytest

from clawmesh.config.duration import parse


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0.0),
        (30, 30.0),
        (0.5, 0.5),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("90d", 90 * 86_400.0),
        ("2w", 14 * 86_400.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        (" 5m ", 300.0),
    ],
)
def test_spans_of_time_are_seconds(value: Any, seconds: float) -> None:
    assert parse(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        True,
        -1,
        float("nan"),
        float("inf"),
        "",
        "5",
        "m",
        "5 m",
        "5M",
        "-5m",
        "1m5",
        "5min",
        "\u0661m",
        "5m\n5m",
        None,
        [],
        {},
    ],
)
def test_what_is_none_is_none(value: Any) -> None:
    assert parse(value) is None
