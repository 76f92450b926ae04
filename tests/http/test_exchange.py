"""Deadlines of an exchange, on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from clawmesh.http.exchange import Exchange
from clawmesh.http.limits import Deadlines
from tests.http.peer import Recorder

NEVER = float("inf")


def begun(deadlines: Deadlines, until: float = NEVER) -> Exchange:
    done: asyncio.Future[None] = asyncio.Future(loop=asyncio.new_event_loop())
    done.get_loop().close()
    return Exchange(Recorder(), deadlines, done, 100.0, until)


def phase(exchange: Exchange, now: float) -> str:
    error = exchange.overdue(now)
    return error.phase if error else ""


def test_head_deadline_runs_from_the_request() -> None:
    exchange = begun(Deadlines(head=10, silence=3))
    exchange.heard = 109.0  # half a header arrived: the clock runs on
    assert [phase(exchange, now) for now in (109.9, 110.0)] == ["", "head"]


def test_silence_deadline_runs_from_the_last_byte() -> None:
    exchange = begun(Deadlines(head=10, silence=3))
    exchange.headed = True
    for heard in (105.0, 107.0, 300.0):
        exchange.heard = heard
        assert [phase(exchange, now) for now in (heard + 2.9, heard + 3)] == ["", "silence"]


def test_silence_does_not_count_while_the_reader_is_full() -> None:
    exchange = begun(Deadlines(silence=3))
    exchange.headed = exchange.paused = True
    assert phase(exchange, 1000.0) == ""


def test_total_deadline_counts_even_while_the_reader_is_full() -> None:
    exchange = begun(Deadlines(total=50), until=150.0)
    exchange.headed = exchange.paused = True
    assert [phase(exchange, now) for now in (149.9, 150.0)] == ["", "total"]


@pytest.mark.parametrize(("headed", "now"), [(False, 100.0), (False, 105.0), (True, 104.0)])
def test_due_is_never_after_a_deadline_that_may_pass(headed: bool, now: float) -> None:
    exchange = begun(Deadlines(head=10, silence=3), until=150.0)
    exchange.headed, exchange.heard = headed, 104.0
    due = exchange.due(now)
    assert now < due <= max(now, exchange.heard) + 3
    assert phase(exchange, due - 0.01) == ""


def test_due_before_the_header_heeds_the_head_deadline() -> None:
    assert begun(Deadlines(head=2, silence=30)).due(100.0) == 102.0
    assert begun(Deadlines(head=20, silence=30), until=101.0).due(100.0) == 101.0
