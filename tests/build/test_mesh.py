"""The suite `mesh` of an executable, beside its peers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import mesh
from clawmesh.bench.suite import Check, Result, at_least, check
from contest import Messages, Rate, Turns, Waits
from steps import StepError
from tests.build.figures import MACHINE, suite


def program(path: Path, prints: bytes, code: int = 0) -> Path:
    """Write an executable that prints this."""
    (path / "printed").write_bytes(prints)
    file = path / "clawmesh"
    file.write_text(f"#!/bin/sh\ncat {path}/printed\nexit {code}\n")
    file.chmod(0o700)
    return file


def test_our_figures_are_found_under_the_suites_names() -> None:
    told = mesh.contender({1000: suite(1000, cpu_seconds=0.5), 10_000: suite(10_000)})
    assert told.turns == {1000: Turns(1000, 0, 5.0, 0.5, 300.0), 10_000: Turns(10_000, 0, 5.0, 0.5, 300.0)}
    assert told.messages == Messages(Rate(30_000, 40), Waits(0.1, 1.0, 2.0), 6.0)


def test_a_figure_that_is_not_there_is_named() -> None:
    with pytest.raises(StepError, match="has no figure '10 conversations at once: failed'"):
        mesh.contender({10: suite(100)})


def test_medians_are_judged_anew() -> None:
    def one(wait: float, rate: float) -> Result:
        return Result(
            "mesh", MACHINE, [check("wait", wait, "ms", 5), at_least("rate", rate, "", 100), check("n", 1, "")]
        )

    assert mesh.merged([one(9, 150), one(1, 90), one(2, 80)]).checks == [
        Check("wait", 2, "ms", 5, ok=True),
        Check("rate", 90, "", 100, ok=False, least=True),
        Check("n", 1, ""),
    ]


def test_missed_goals_of_the_executable_are_a_result(tmp_path: Path) -> None:
    result = suite(100, cpu_seconds=900)
    assert mesh.executable(program(tmp_path, msgspec.json.encode(result), code=1), 100) == result


def test_an_executable_without_a_result_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="ended with 2 and without a result"):
        mesh.executable(program(tmp_path, b"", code=2), 100)
    with pytest.raises(StepError, match="cannot be started"):
        mesh.executable(tmp_path / "nothing", 100)


def test_peers_are_measured_in_every_round(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = mesh.compare(program(tmp_path, msgspec.json.encode(suite(3))), 2, [3], ["python"])
    assert [each.name for each in told.contenders] == ["ClawMesh", "Python, bare"]
    assert told.contenders[1].turns[3].failed == 0
    assert capfd.readouterr().err.splitlines() == [
        *("round 1 of 2: ClawMesh", "round 1 of 2: Python, bare"),
        *("round 2 of 2: ClawMesh", "round 2 of 2: Python, bare"),
    ]
