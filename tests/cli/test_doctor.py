"""`clawmesh doctor`: sound, without a configuration, with a broken one, beside a mesh that runs or hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Person
from tests.cli.test_serve import serving


def look(person: Person, *words: str, code: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Return what was found, by what was looked at."""
    told = json.loads(person.run("--json", "doctor", *words, code=code).stdout)
    assert told["ok"] == (code == 0)
    assert all(finding["mend"] for finding in told["findings"] if finding["status"] != "ok")
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in told["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def test_nothing_is_wrong(person: Person) -> None:
    person.run("ask", "echo/s", "hi")
    started = time.monotonic()
    found = look(person)
    assert time.monotonic() - started < 5  # about 0.3 s; more where all tests run at once
    assert {
        *("configuration", "plugins", "data directory", "disk", "journal", "process", "program", "memory", "clock"),
        *("system", "sandbox", "file descriptors"),
    } <= found.keys()
    assert found["configuration"][0]["text"] == f"{person.folder}/clawmesh.toml (agents: 5, backends: 2)"
    assert found["process"][0]["text"] == "no mesh runs on the data directory"
    assert "ok    journal: " in person.run("doctor").stdout


def test_without_a_configuration(person: Person) -> None:
    (person.folder / "clawmesh.toml").unlink()
    (found,) = look(person)["configuration"]
    assert (found["status"], "'clawmesh init' writes one" in found["mend"]) == ("warn", True)
    (found,) = look(person, "--config", "nowhere.toml", code=1)["configuration"]
    assert found["text"] == f"there is no file {person.folder}/nowhere.toml, which --config names"


def test_with_a_broken_configuration(person: Person) -> None:
    (person.folder / "clawmesh.toml").write_text(
        "[agents.a]\nmodel = 'm'\nbackend = 'none'\n[agents.b]\ntype = 'relai'\n"
    )
    found = look(person, code=1)
    assert {finding["status"] for finding in found["configuration"]} == {"fail"}
    assert (
        f"{person.folder}/clawmesh.toml:3: agents.a.backend: there is no backend" in found["configuration"][0]["text"]
    )
    assert found["plugins"][-1]["status"] == "ok"
    (person.folder / "clawmesh.toml").write_text("[agents\n")
    assert "fail  configuration: " in person.run("doctor", code=1).stdout


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ('host = "0.0.0.0"', "without TLS; others could read tokens"),
        ('certificate = "a.pem"\nkey = "b.pem"', "cannot be used: No such file or directory"),
    ],
)
def test_where_serve_could_not_listen(person: Person, table: str, reason: str) -> None:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write(f"[api]\n{table}\n")
    (found,) = look(person, code=1)["configuration"]
    assert (found["status"], reason in found["text"]) == ("fail", True)


def test_plugins_that_do_not_run(person: Person) -> None:
    person.plugin("broken", "raise RuntimeError('no')\n")
    person.plugin("turned", "")
    (person.folder / "plugins" / "turned.py").write_text("# otherwise\n")
    (person.folder / "plugins" / "stranger.py").write_text("")
    found = {finding["text"].partition(" ")[0]: finding for finding in look(person, code=1)["plugins"]}
    assert (found["broken"]["status"], "RuntimeError: no" in found["broken"]["text"]) == ("fail", True)
    assert (found["turned"]["status"], "is changed" in found["turned"]["text"]) == ("warn", True)
    assert found["stranger"]["mend"] == "read it, then: clawmesh plugins trust stranger; or remove it"


def test_beside_a_mesh_that_runs_and_one_that_hangs(person: Person) -> None:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write("[mesh]\nworkers = 2\n")
    with serving(person) as server:
        found = look(person)["process"]
        assert [finding["text"].partition(" has ")[0] for finding in found] == [
            f"worker {number} of clawmesh serve (process {server.pid})" for number in (0, 1)
        ]
        first = server.workers[0]
        os.kill(first, signal.SIGSTOP)
        hung, fine = look(person, code=1)["process"]
        assert (hung["status"], fine["status"]) == ("fail", "ok")
        assert hung["text"].endswith("does not answer within 0.5 s")
        os.kill(first, signal.SIGCONT)
        person.run("stop")


def test_after_a_kill_and_with_a_damaged_journal(person: Person) -> None:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write("[mesh]\nworkers = 1\n")
    with serving(person) as server:
        person.run("ask", "echo/s", "hi")
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
    assert "warn" in {finding["status"] for finding in look(person)["journal"]}
    person.run("ask", "echo/s", "hi")
    for path in (person.folder / "data" / "journal").glob("*.db"):
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(8192))
    found = look(person, code=1)["journal"]
    assert any("restore a backup" in finding["mend"] for finding in found)


def test_few_file_descriptors_are_told(person: Person) -> None:
    words = ["sh", "-c", 'ulimit -n 200; exec "$0" --json doctor', str(person.executable)]
    done = subprocess.run(words, cwd=person.folder, env=person.environ, capture_output=True, text=True)
    found = [each for each in json.loads(done.stdout)["findings"] if each["check"] == "file descriptors"]
    assert (done.returncode, found[0]["status"]) == (1, "fail")


def test_the_executable_verifies_its_own_files(person: Person) -> None:
    runtime = person.folder / "runtime"
    runtime.mkdir(mode=0o700)
    environ = {**person.environ, "CLAWMESH_RUNTIME_DIR": str(runtime)}

    def text() -> str:
        words = [str(person.executable), "doctor"]
        return subprocess.run(words, cwd=person.folder, env=environ, capture_output=True, text=True).stdout

    if "runs from its source" in (said := text()):
        return
    assert "every file of it is as it was built" in said
    changed: Path = next(runtime.glob("clawmesh-*/*/_internal/certifi/cacert.pem"))
    changed.write_text(changed.read_text()[:-1] + "#")
    assert f"fail  program: {changed}: its content has changed" in text()
