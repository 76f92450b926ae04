"""The executable as a person uses it: a folder, a configuration, a command."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

CONFIG = """
[defaults]
backend = "script"

[agents.echo]
model = "echo"

[agents.teller]
model = "teller"
description = "tells the sum"
tools = ["calculator"]

[agents.slow]
backend = "slowly"
model = "slow"

[agents.short]
model = "teller"
tools = ["calculator"]
limits = { steps = 1 }

[agents.busy]
model = "busy"

[backends.script]
type = "scripted"
rules = [
    { model = "teller", after = "calculator", say = "It is {result}." },
    { model = "teller", think = "I count.", calls = [{ tool = "calculator", arguments = { expression = "6 * 7" } }] },
    { model = "busy", fail = "quota" },
]

[backends.slowly]
type = "scripted"
pace = 60
rules = [{ say = "one two three" }]
"""


@dataclass(frozen=True)
class Person:
    """Runs the executable in a folder with a `clawmesh.toml`, and nothing else of the machine's configuration."""

    executable: Path
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        home = str(self.folder / "home")
        data = str(self.folder / "data")
        # Any free port: several services of several tests may run at the same time.
        return {"PATH": os.environ["PATH"], "HOME": home, "CLAWMESH_DATA": data, "CLAWMESH_PORT": "0", "TERM": "xterm"}

    def run(self, *words: str, stdin: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run one command and check its exit code; bytes that are not UTF-8 are surrogates, as in PEP 383."""
        done = subprocess.run(
            [str(self.executable), *words],
            cwd=self.folder,
            env=self.environ,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=50,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Run one command beside the test, which speaks with it through pipes."""
        return subprocess.Popen(
            [str(self.executable), *words],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def plugin(self, name: str, text: str) -> None:
        """Write a plugin and trust it."""
        folder = self.folder / "plugins"
        folder.mkdir(mode=0o755, exist_ok=True)
        (folder / f"{name}.py").write_text(text)
        (folder / f"{name}.py").chmod(0o644)
        self.run("plugins", "trust", name)

    def json(self, *words: str) -> Any:
        return json.loads(self.run("--json", *words).stdout)

    @contextmanager
    def terminal(self, *words: str, columns: int = 160) -> Iterator[pexpect.spawn[str]]:
        """Run one command in a terminal of its own."""
        # This terminal does not answer when it is asked where the cursor stands.
        environ = {**self.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "NO_COLOR": "1"}
        size = (40, columns)
        child = pexpect.spawn(
            str(self.executable), list(words), 20, cwd=self.folder, env=environ, dimensions=size, encoding="utf-8"
        )
        try:
            yield child
        finally:
            child.close(force=True)


@pytest.fixture
def person(executable: Path, tmp_path: Path) -> Person:
    (tmp_path / "clawmesh.toml").write_text(CONFIG)
    return Person(executable, tmp_path)
