"""Forks of this process that measure."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from multiprocessing.connection import Connection

import pytest

from clawmesh.bench.child import apart, forked, killed, undisturbed
from clawmesh.bench.provider import Tally
from clawmesh.bench.suite import Advance
from clawmesh.errors import ResourceError


def test_the_result_comes_from_another_process() -> None:
    shares: list[float] = []

    def measure(advance: Advance) -> int:
        advance(0.5)
        return os.getpid()

    assert apart(measure, shares.append) != os.getpid()
    assert shares == [0.5]


def test_a_failure_is_raised_with_its_traceback() -> None:
    def measure(advance: Advance) -> None:
        raise ValueError("no figures")

    with pytest.raises(ResourceError, match="ValueError: no figures") as caught:
        apart(measure, lambda share: None)
    assert "in measure" in str(caught.value.__cause__)


def test_of_a_group_the_first_failure_is_named() -> None:
    def measure(advance: Advance) -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("more", [ValueError("no figures")]), KeyError("x")])

    with pytest.raises(ResourceError, match="ValueError: no figures"):
        apart(measure, lambda share: None)


def test_the_end_of_the_process_is_no_result() -> None:
    def measure(advance: Advance) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ResourceError, match="ended before it was done"):
        apart(measure, lambda share: None)


def test_work_is_killed_when_it_says_so() -> None:
    tally = Tally()
    shares: list[float] = []

    def work(advance: Advance) -> None:
        tally.add()
        advance(1.0)
        signal.pause()
        tally.add()

    killed(work, shares.append)
    assert (tally.count, shares) == (1, [1.0])


def test_an_interrupt_waits_until_what_is_made_can_be_ended() -> None:
    told: list[str] = []

    def make() -> None:
        with ExitStack() as stack:
            with undisturbed():
                # To this thread: others, of tests before, would take it at once.
                signal.pthread_kill(threading.get_ident(), signal.SIGINT)
                told.append("made")
                stack.callback(told.append, "ended")
            told.append("went on")

    with pytest.raises(KeyboardInterrupt):
        make()
    assert told == ["made", "ended"]


def test_a_fork_can_be_terminated() -> None:
    def work(pipe: Connection) -> None:
        pipe.send(os.getpid())
        signal.pause()

    with forked(work) as pipe:
        os.kill(pipe.recv(), signal.SIGTERM)
        with pytest.raises(EOFError):
            pipe.recv()
