"""Plugins in the executable, where there is no Python to run pip or a child process with."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Installed:
    program: Path
    root: Path

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of `plugins` with a configuration and a data directory of its own."""
        argv = ("plugins", *argv, "--data", str(self.root / "data"), "--config", str(self.root / "clawmesh.toml"))
        return subprocess.run([self.program, *argv], capture_output=True, text=True, cwd=self.root, timeout=120)

    def json(self, *argv: str) -> Any:
        return json.loads(self.run(*argv, "--json").stdout)

    def write(self, name: str, lines: Sequence[str]) -> None:
        (self.root / "plugins").mkdir(mode=0o755, exist_ok=True)
        path = self.root / "plugins" / f"{name}.py"
        path.write_text("\n".join([*lines, "def before_tool(): pass", ""]))
        path.chmod(0o644)
        assert self.run("trust", name).returncode == 0

    def state(self, name: str) -> tuple[str, str]:
        return next((each["state"], each["reason"]) for each in self.json("list") if each["name"] == name)


@pytest.fixture
def installed(executable: Path, tmp_path: Path) -> Installed:
    (tmp_path / "clawmesh.toml").touch()
    return Installed(executable, tmp_path)


def test_every_bundled_plugin_loads(installed: Installed) -> None:
    plugins = installed.json("list")
    assert {"openai", "anthropic", "ollama", "scripted", "clock", "calculator", "http_get", "ram"} <= {
        p["name"] for p in plugins
    }
    assert {plugin["reason"] for plugin in plugins} == {""}


def test_a_new_plugin_works_and_is_checked_apart(installed: Installed) -> None:
    assert installed.run("new", "mine").returncode == 0
    finding = installed.json("check", "mine")
    assert (finding["ok"], len(finding["examples"])) == (True, 3)


def test_time_zones_are_bundled(installed: Installed) -> None:
    assert installed.json("check", "clock")["ok"]


def test_a_plugin_may_import_what_is_bundled(installed: Installed) -> None:
    installed.write(
        "mine",
        [
            "import httpx, httpx2, anyio, clawmesh, sqlite3, xml.dom.minidom, concurrent.futures, curses, wave",
            "assert httpx is httpx2",
        ],
    )
    assert installed.state("mine") == ("loaded", "")


def test_pure_and_binary_wheels_are_installed(installed: Installed) -> None:
    installed.write(
        "mine",
        [
            "# /// script",
            '# dependencies = ["humanize", "markupsafe"]',
            "# ///",
            "import humanize, markupsafe._speedups",
            "assert humanize.intcomma(1000) == '1,000'",
        ],
    )
    assert "No module named 'humanize'" in installed.state("mine")[1]
    done = installed.run("install", "mine")
    if "cannot be reached" in done.stderr:
        pytest.skip("no package registry can be reached")
    assert (done.returncode, done.stdout.split()[2::2]) == (0, ["humanize", "markupsafe"])
    assert installed.state("mine") == ("loaded", "")


def test_without_network_it_says_so(installed: Installed) -> None:
    installed.write("mine", ["# /// script", '# dependencies = ["humanize"]', "# ///"])
    environ = {**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": ""}
    argv = ["plugins", "install", "mine", "--data", "data", "--config", "clawmesh.toml"]
    done = subprocess.run(
        [installed.program, *argv], capture_output=True, text=True, cwd=installed.root, env=environ, timeout=120
    )
    assert done.returncode == 1
    assert "this machine seems to be offline" in done.stderr


def test_a_clash_with_what_is_bundled_is_refused(installed: Installed) -> None:
    installed.write("mine", ["# /// script", '# dependencies = ["anyio<4"]', "# ///"])
    done = installed.run("install", "mine")
    assert done.returncode == 1
    assert "mine needs anyio<4, and ClawMesh brings anyio 4" in done.stderr
