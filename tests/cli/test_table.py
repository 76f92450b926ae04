from __future__ import annotations

import pytest

from clawmesh.cli.table import columns, fit, join, short

HEAD = ("ID", "AGE", "FROM", "TEXT")
ROW = ("env_1", "3 h", "user", "one two three four five")


def test_what_fits_stays_as_it_is() -> None:
    assert fit([HEAD, ROW], 41, ("AGE",), brief=True) == [HEAD, ROW]


def test_columns_are_left_out_in_their_order_while_there_is_little_room() -> None:
    assert fit([HEAD, ROW], 34, ("AGE", "FROM"), brief=True) == [
        ("ID", "FROM", "TEXT"),
        ("env_1", "user", "one two three four f…"),
    ]
    assert fit([HEAD, ROW], 30, ("AGE", "FROM"), brief=False) == [("ID", "TEXT"), ("env_1", "one two three four five")]


def test_the_last_column_goes_on_below_or_is_cut() -> None:
    rows = [("message", "one two three"), ("", "four\n\nfive")]
    assert fit(rows, 22, (), brief=False) == [("message", "one two three"), ("", "four\n         \n         five")]
    assert fit(rows, 21, (), brief=False)[0] == ("message", "one two\n         three")
    assert fit(rows, 21, (), brief=True) == [("message", "one two thr…"), ("", "four five")]


def test_words_stay_whole() -> None:
    row = ("id", "env_1m88ddfxchwjkf2a1nx38 x")
    assert fit([row], 20, (), brief=False) == [("id", "env_1m88ddfxchwjkf2a1nx38\n    x")]


def test_in_no_room_at_all_the_last_column_runs_free() -> None:
    assert fit([ROW], 20, (), brief=True) == [ROW]


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("a\n b", 3, "a b"),
        ("", 3, ""),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
    ],
)
def test_a_text_is_cut_by_what_it_takes_of_a_line(text: str, most: int, cut: str) -> None:
    assert short(text, most) == cut
    assert columns(cut) <= most


def test_wide_cells_line_up() -> None:
    assert [join(row, (4, 0)) for row in [("日本", "a"), ("b", "c"), ("d", "")]] == ["日本  a", "b     c", "d"]
