"""The tables: who is in them, in which order, and what is said of failures."""

from __future__ import annotations

import pytest

import table
from clawmesh.bench.suite import Result, at_least, check
from contest import Contender, Turns
from tests.build.figures import MACHINE, contender


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_figures_stand_beside_their_goals() -> None:
    checks = [
        check("wait", 7.25, "ms", 5, {"Go": 3}),
        at_least("rate", 25_000, "", 20_000),
        check("size", 0.5, "MB"),
    ]
    head, _, *rows = cells(table.checks(Result("mesh", MACHINE, checks), ["Go"]))
    assert head == ["", "ClawMesh", "goal", "Go"]
    assert rows == [
        ["wait", "**7.25** ms", "≤ 5 (missed)", "3"],
        ["rate", "**25,000**", "≥ 20,000", ""],
        ["size", "**0.5** MB", "", ""],
    ]


def test_the_cheapest_turns_come_first_and_ours_stand_out() -> None:
    head, _, *rows = cells(table.turns([contender("ClawMesh", 0.6), contender("slow", 5), contender("quick", 0.1)]))
    assert head[1] == "100 at once: CPU ms each"
    assert rows == [
        ["quick", "0.1", "2.5", "64"],
        ["**ClawMesh**", "**0.6**", "**2.5**", "**64**"],
        ["slow", "5", "2.5", "64"],
    ]


def test_failures_are_shown_and_explained() -> None:
    some, none = contender("some", 5, failed=3, reason="time-out"), contender("none", 0, failed=100, reason="no wheel")
    rows = cells(table.turns([none, some]))[2:]
    assert rows == [["some", "5", "2.5 (3 failed)", "64"], ["none", "-", "-", "-"]]
    assert [*table.notes([none, some, contender("fine", 1)])] == [
        "none: 100 of 100 turns failed: no wheel",
        "some: 3 of 100 turns failed: time-out",
    ]


def test_one_reason_is_told_once() -> None:
    both = Contender(
        "x", {count: Turns(count, count, reason="no wheel") for count in (10, 1000)}, reason="ended with 1"
    )
    assert [*table.notes([both])] == [
        "x: 10 of 10 turns and 1,000 of 1,000 turns failed: no wheel",
        "x: messages were not measured: ended with 1",
    ]


def test_messages_are_of_those_who_pass_them() -> None:
    rows = cells(table.messages([contender("ClawMesh", 1, messages=True), contender("none", 1)]))[2:]
    assert rows == [["**ClawMesh**", "**20,000**", "**50**", "**0.25**", "**1**", "**12.5**"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.07943, "0.0794"), (12.34, "12.3"), (99.97, "100"), (999.9, "1,000"), (1e6, "1,000,000")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert table.number(value) == text
