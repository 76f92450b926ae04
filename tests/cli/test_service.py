"""`clawmesh service`: with a real systemd, in namespaces of its own, and without one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Person

MANAGER = "/lib/systemd/systemd"
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
# Whatever the manager does, it can write nowhere but in the test's folder, and it starts nothing but what is tested.
# It believes that the machine runs systemd where /run/systemd/system is.
START = f"""
mount --bind "$PWD" "$PWD"
mount -o remount,bind,ro /
cd "$PWD"
mount -t tmpfs none /run
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
{MANAGER} --user --log-target=null &
until systemctl --user show-environment > /dev/null 2>&1; do kill -0 $!; done
claw() {{ "$CLAW" --data "$DATA" "$@" 2>> said && echo "exit 0" || echo "exit $?"; }}
"""


@pytest.fixture
def manager(person: Person) -> dict[str, str]:
    """Return an environment in which START runs systemd's manager of a user."""
    if os.geteuid() != 0 or not Path(MANAGER).exists() or shutil.which("systemctl") is None:
        pytest.skip("needs root, and systemd installed")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may make no namespaces")
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write("[api]\nport = 0\n")
    units = person.folder / "home" / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    for name in ("basic.target", "default.target"):
        (units / name).write_text("[Unit]\nDescription=nothing else\nDefaultDependencies=no\n")
    data = str(person.folder / '100% of $HOME and "data"')
    return {**person.environ, "CLAW": str(person.executable), "DATA": data, "XDG_RUNTIME_DIR": "/run/user/0"}


def within(person: Person, environ: dict[str, str], script: str) -> list[str]:
    words = [*NAMESPACES, "sh", "-euc", START + script]
    done = subprocess.run(words, cwd=person.folder, env=environ, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr + (person.folder / "said").read_text()
    return done.stdout.splitlines()


def test_systemd_starts_it_and_starts_it_again(person: Person, manager: dict[str, str]) -> None:
    said = within(
        person,
        manager,
        """
claw service install
claw service status
claw ask echo/s hi
pid=$(systemctl --user show clawmesh.service --property=MainPID --value)
grep NoNewPrivs /proc/$pid/status
kill -9 $pid
until [ "$(systemctl --user show clawmesh.service --property=NRestarts --value)" = 1 ]; do :; done
until "$CLAW" --data "$DATA" service status > /dev/null 2>&1; do :; done
claw ask echo/s again
claw service install
claw service uninstall
claw service status
claw service uninstall
""",
    )
    file = person.folder / "home" / ".config" / "systemd" / "user" / "clawmesh.service"
    config = person.folder / "clawmesh.toml"
    assert said[0] == f"{file} runs the mesh of {config} on {manager['DATA']}"
    assert said[2].startswith("active (running), started again 0 times, process ")
    assert said[4:8] == ["You said: hi", "exit 0", "NoNewPrivs:\t1", "You said: again"]
    assert said[8:] == [
        *("exit 0", said[0], "exit 0"),
        *(f"{file} is removed; the data and the configuration stay", "exit 0"),
        *(f"it is not installed: there is no {file}", "exit 1", "exit 1"),
    ]
    notes = (person.folder / "said").read_text()
    assert f"go into {person.folder}/clawmesh.env: NAME=value lines" in notes
    assert "loginctl enable-linger root" in notes


def test_a_start_that_fails_is_told(person: Person, manager: dict[str, str]) -> None:
    (person.folder / "clawmesh.toml").write_text("[agents.a]\nbackend = 'none'\n")
    assert within(person, manager, "claw service install; claw service status")[0] == "exit 1"
    notes = (person.folder / "said").read_text()
    assert "systemctl restart clawmesh.service: Job for clawmesh.service failed" in notes
    assert "'journalctl --user --unit clawmesh.service' tells why" in notes


def test_a_unit_of_somebody_else_stays(person: Person, manager: dict[str, str]) -> None:
    folder = person.folder / "home" / ".config" / "systemd" / "user"
    (folder / "clawmesh.service").write_text("[Service]\nExecStart=/bin/true\n")
    assert within(person, manager, "claw service install; claw service uninstall") == ["exit 2", "exit 2"]
    assert (folder / "clawmesh.service").read_text() == "[Service]\nExecStart=/bin/true\n"


def test_without_systemd(person: Person, tmp_path: Path) -> None:
    words = [str(person.executable), "service", "install"]
    python = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path), **python}
    done = subprocess.run(words, cwd=person.folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no systemd of this user runs here (there is no systemctl): nothing is changed" in done.stderr
    assert "let whatever starts things here run: " in done.stderr
    assert not (tmp_path / ".config").exists()


def test_it_is_printed_and_nothing_changed(person: Person) -> None:
    text = person.run("service", "install", "--print").stdout
    assert text.startswith("# Written by 'clawmesh service install'")
    assert f'"--data" "{person.folder}/data" "serve"' in text
    told = json.loads(person.run("--json", "service", "install", "--print").stdout)
    assert told["text"] == text
    assert not Path(told["file"]).exists()
    (person.folder / "clawmesh.toml").unlink()
    assert "there is no configuration" in person.run("service", "install", "--print", code=2).stderr
