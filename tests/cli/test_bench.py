"""The whole suite, small: what it finds is shown and judged; how fast this machine is matters to no test."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import msgspec
import pytest

from clawmesh.bench.suite import Result
from tests.cli.conftest import Person

pytestmark = pytest.mark.timeout(180)
BUSY = "this machine is busy"


def bench(person: Person, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(person.executable), "bench", *words]
    return subprocess.run(command, cwd=person.folder, env=person.environ, capture_output=True, text=True, timeout=170)


def test_the_mesh_is_measured(person: Person) -> None:
    done = bench(person, "--sessions", "50", "--json")
    assert done.returncode in (0, 1), done.stderr
    result = msgspec.json.decode(done.stdout, type=Result)
    assert (result.suite, done.returncode) == ("mesh", 0 if result.ok else 1)
    found = {check.name: check for check in result.checks}
    for name in (
        "50 conversations at once: failed",
        "messages between agents: failed",
        "published to 50 agents: missed it",
        "sessions that did not hibernate",
        "kill -9 with 50 turns in flight: replies bought twice",
        "2 workers beside one: failed",
    ):
        assert (found[name].value, found[name].goal, found[name].ok) == (0, 0, True), name
    assert [line for line in done.stderr.splitlines() if not line.startswith(("measuring ", BUSY))] == []


def test_an_interrupt_leaves_nothing_behind(person: Person, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    command = [str(person.executable), "bench", "--sessions", "50"]
    environ = {**person.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, cwd=person.folder, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "messages between agents" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert [*folder.iterdir()] == []


def test_the_server_is_measured(person: Person) -> None:
    done = bench(person, "--suite", "http", "--clients", "20", "--json")
    assert done.returncode in (0, 1), done.stderr
    result = msgspec.json.decode(done.stdout, type=Result)
    assert (result.suite, done.returncode) == ("http", 0 if result.ok else 1)
    found = {check.name: check for check in result.checks}
    for name in (
        "20 SSE clients: failed",
        "20 relayed conversations: failed",
        "GET /healthz: failed",
        "POST to an agent: failed",
        "quick clients meanwhile: failed",
    ):
        assert (found[name].value, found[name].goal, found[name].ok) == (0, 0, True), name
    for name in ("slow headers", "slow bodies", "answers not read"):
        assert (found[f"{name}: cut off, of 1"].value, found[f"{name}: cut off, of 1"].ok) == (1, True), name
    assert [line for line in done.stderr.splitlines() if not line.startswith(("measuring ", BUSY))] == []
