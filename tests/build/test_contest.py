"""Medians over rounds."""

from __future__ import annotations

from contest import Contender, Messages, Rate, Turns, Waits, middle


def rounds(*turns: Turns) -> list[Contender]:
    return [Contender("one", {100: each}) for each in turns]


def test_each_figure_is_a_median_and_failures_are_the_worst() -> None:
    told = middle(
        rounds(Turns(100, 0, 3.0, 0.1, 60.0), Turns(100, 2, 1.0, 0.3, 50.0, "time-out"), Turns(100, 0, 2.0, 0.2, 70.0))
    )
    assert told.turns[100] == Turns(100, 2, 2.0, 0.2, 60.0, "time-out")


def test_a_round_that_came_to_nothing_spoils_no_median() -> None:
    told = middle(rounds(Turns(100, 100, reason="killed"), Turns(100, 0, 2.0, 0.2, 70.0)))
    assert told.turns[100] == Turns(100, 100, 2.0, 0.2, 70.0, "killed")


def test_messages_have_medians_of_their_own() -> None:
    def one(rate: float, idle: float | None) -> Contender:
        return Contender("one", {}, Messages(Rate(rate, rate / 100), Waits(1, rate / 1000, 3), idle))

    told = middle([one(1000, 5.0), one(3000, None), one(2000, 7.0)])
    assert told.messages == Messages(Rate(2000, 20), Waits(1, 2, 3), 6.0)


def test_a_reason_counts_only_without_any_messages() -> None:
    failed = Contender("one", {}, reason="ended with 1")
    passed = Contender("one", {}, Messages(Rate(1, 1), Waits(1, 1, 1)))
    assert middle([failed, failed]).reason == "ended with 1"
    assert middle([failed, passed]).reason == ""
