"""A supervisor and its workers, as processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CREW = Path(__file__).with_name("crew.py")
ROOT = CREW.parent.parent.parent


class Crew:
    """The supervised program; what it says is read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []

    def until(self, pattern: str) -> re.Match[str]:
        """Return the next line that has this in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.strip())
            if match := re.search(pattern, line):
                return match
        raise AssertionError(self.said)

    def pids(self, count: int) -> dict[int, int]:
        """Return the processes of the next workers that begin."""
        found = [self.until(r"worker (\d) is (\d+)") for _ in range(count)]
        return {int(match[1]): int(match[2]) for match in found}

    def end(self) -> int:
        """Return the exit code; the rest of what it said is in `said`."""
        assert self.process.stdout is not None
        self.said += [line.strip() for line in self.process.stdout]
        return self.process.wait(20)


@contextmanager
def crew(tmp_path: Path, workers: int, mood: str = "good", *, prefix: tuple[str, ...] = ()) -> Iterator[Crew]:
    process = subprocess.Popen(
        [*prefix, sys.executable, str(CREW), str(workers), mood, str(tmp_path / "pid")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    with process:
        try:
            yield Crew(process)
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_good_order(tmp_path: Path, stop: signal.Signals) -> None:
    with crew(tmp_path, 3) as team:
        team.until("^ready")
        os.killpg(team.process.pid, stop) if stop is signal.SIGINT else team.process.send_signal(stop)
        assert team.end() == 0
    assert sorted(line for line in team.said if "told" in line) == [f"worker {number} is told" for number in range(3)]


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with crew(tmp_path, 2) as team:
        before = team.pids(2)
        team.until("^ready")
        os.kill(before[1], signal.SIGKILL)
        assert team.until("warning: (.*)")[1] == "worker 1 was ended by SIGKILL; it is started again"
        after = team.pids(1)
        assert after.keys() == {1}
        assert after[1] != before[1]
        team.process.terminate()
        assert team.end() == 0
    assert "ready" not in team.said[team.said.index("ready") + 1 :]


def test_a_crash_loop_gets_slower(tmp_path: Path) -> None:
    with crew(tmp_path, 1, "dying") as team:
        pauses = [team.until("SIGKILL; it is started again(.*)")[1] for _ in range(4)]
        team.process.terminate()
        team.end()
    assert pauses == ["", " in 0.1 s", " in 0.5 s", " in 1.0 s"]


def test_what_a_worker_raises_is_shown_and_it_is_replaced(tmp_path: Path) -> None:
    with crew(tmp_path, 1, "raising") as team:
        team.until("ZeroDivisionError: oh")
        assert team.until("warning: (.*)")[1] == "worker 0 ended with exit code 1; it is started again"
        team.process.terminate()
        team.end()


def test_what_keeps_one_from_starting_ends_all(tmp_path: Path) -> None:
    with crew(tmp_path, 3, "misfit") as team:
        assert team.end() == 2
    assert "ready" not in team.said


def test_the_death_of_the_supervisor_is_that_of_its_workers(tmp_path: Path) -> None:
    with crew(tmp_path, 2) as team:
        team.until("^ready")
        team.process.kill()
        # What all of them write to is at its end when the last one is gone.
        assert team.end() == -signal.SIGKILL


def test_a_second_signal_is_passed_on_and_a_third_one_kills(tmp_path: Path) -> None:
    with crew(tmp_path, 1, "slow") as team:
        team.until("^ready")
        team.process.terminate()
        team.until("worker 0 is told")
        team.process.terminate()
        team.until("worker 0 is told again")
        assert team.end() == 0
    with crew(tmp_path, 1, "deaf") as team:
        team.until("^ready")
        team.process.terminate()
        team.until("worker 0 is told")
        team.process.terminate()
        team.until("worker 0 does not care")
        team.process.terminate()
        team.until("warning: worker 0 does not end and is killed")
        assert team.end() == 1


def test_nobody_ends_before_all_have_drained(tmp_path: Path) -> None:
    with crew(tmp_path, 2, "needed") as team:
        team.until("^ready")
        team.process.terminate()
        assert team.end() == 0
    drained = team.said.index("worker 0 has drained at last")
    assert {"worker 0 ends", "worker 1 ends"} <= {*team.said[drained:]}


def test_one_that_dies_while_it_drains_keeps_nobody_waiting(tmp_path: Path) -> None:
    with crew(tmp_path, 2, "mortal") as team:
        team.until("^ready")
        team.process.terminate()
        assert team.end() == 1
    assert "worker 1 ends" in team.said


def test_a_worker_that_is_told_alone_ends_and_is_replaced(tmp_path: Path) -> None:
    with crew(tmp_path, 2) as team:
        before = team.pids(2)
        team.until("^ready")
        os.kill(before[0], signal.SIGTERM)
        assert team.until("warning: (.*)")[1] == "worker 0 ended with exit code 0; it is started again"
        team.pids(1)
        team.process.terminate()
        assert team.end() == 0


def test_a_worker_that_ends_badly_is_told_of(tmp_path: Path) -> None:
    with crew(tmp_path, 2, "failing") as team:
        team.until("^ready")
        team.process.terminate()
        assert team.end() == 1


def test_under_nohup_the_end_of_the_terminal_is_none(tmp_path: Path) -> None:
    with crew(tmp_path, 1, prefix=("nohup",)) as team:
        team.until("^ready")
        team.process.send_signal(signal.SIGHUP)
        team.process.terminate()
        assert team.end() == 0
    assert [line for line in team.said if "told" in line] == ["worker 0 is told"]
