"""`build/make.py bench`: its arguments, and what it writes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

import bench
from clawmesh.bench.suite import Result
from mesh import Comparison
from tests.build.figures import suite


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Return the words that run a small comparison of an executable which prints what `printed` holds."""
    program = tmp_path / "clawmesh"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/printed\n")
    program.chmod(0o700)
    return ["--executable", str(program), "--figures", str(tmp_path / "figures"), "--peers", "python", "--turns", "3"]


def printed(folder: Path, result: Result) -> None:
    (folder / "printed").write_bytes(msgspec.json.encode(result))


def test_tables_and_picture_are_written(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(tmp_path, suite(3, cpu_seconds=0.001))
    assert bench.main(words) == 0
    text = capsys.readouterr().out
    assert (tmp_path / "figures" / "table.md").read_text() == text
    for part in (
        "| peak: messages a second | **30,000**",
        "| Python, bare |",
        "| **ClawMesh** | **30,000**",
        "a system.",
    ):
        assert part in text
    picture = (tmp_path / "figures" / "turns.svg").read_text()
    ElementTree.fromstring(picture)
    assert "3 conversations at once" in picture


def test_json_holds_everything(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(tmp_path, suite(3, cpu_seconds=0.001))
    assert bench.main([*words, "--json"]) == 0
    told = msgspec.json.decode(capsys.readouterr().out, type=Comparison)
    assert [each.name for each in told.contenders] == ["ClawMesh", "Python, bare"]


def test_a_missed_goal_ends_with_1(words: list[str], tmp_path: Path) -> None:
    printed(tmp_path, suite(3, cpu_seconds=900))
    assert bench.main(words) == 1


def test_an_executable_that_cannot_be_measured_ends_with_1(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "printed").write_text("")
    assert bench.main(words) == 1
    assert "without a result" in capsys.readouterr().err
    assert not (tmp_path / "figures").exists()


def test_the_defaults_are_the_published_comparison() -> None:
    arguments = bench.parser().parse_args([])
    assert (arguments.suite, arguments.rounds, arguments.turns) == ("mesh", None, (1000, 10_000))
    assert arguments.figures == bench.FIGURES


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--rounds=0", "expected a number from 1 on, not 0"),
        ("--turns=10,x", "invalid counts value: '10,x'"),
        ("--peers=strand", "no peer 'strand': expected all, none, or names of python, go"),
        ("--suite=all", "invalid choice: 'all'"),
    ],
)
def test_wrong_arguments_are_refused(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main([word])
    assert said in capsys.readouterr().err
