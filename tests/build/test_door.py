"""The suite `http` beside its reference."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import bench
import door
from clawmesh.bench import crowd, post
from clawmesh.bench.suite import Result, check
from clawmesh.bench.watch import Percentiles
from peers import go_compiler
from tests.build.figures import MACHINE

WAITS = Percentiles(0.1, 1.0, 2.0)


def test_medians_of_references_stand_beside() -> None:
    rows: dict[str, list[door.Row]] = {"Go": [{"a": 1.0}, {"a": 5.0}, {"a": 2.0, "other": 1.0}], "Rust": [{}]}
    own = [check("a", 3.0, "µs"), check("b", 4.0, "")]
    assert [(each.value, each.beside) for each in door.beside(own, rows)] == [(3.0, {"Go": 2.0}), (4.0, {})]


def test_the_executable_is_held_against_its_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listening = crowd.Figures(5, failures=0, connect_seconds=1.0, events=50, cpu_seconds=0.1, kib_each=20.0, lags=WAITS)
    asking = post.Figures(10, failures=0, seconds=1.0, cpu_seconds=0.1, waits=WAITS)
    checks = [*crowd.judged("SSE clients", listening), *post.judged("GET /healthz", asking)]
    (tmp_path / "printed").write_bytes(msgspec.json.encode(Result("http", MACHINE, checks)))
    program = tmp_path / "clawmesh"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/printed\n")
    program.chmod(0o700)
    assert bench.main(["--suite", "http", "--clients", "5", "--executable", str(program)]) == 0
    text = capsys.readouterr().out
    assert "| 5 SSE clients: CPU an event | **2,000** µs |" in text
    assert ("| Go |" in text) == (go_compiler() is not None)
