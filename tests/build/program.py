"""Ways to start the executable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The executable runs the code of multiprocessing's helper processes, and knows it by these flags and this beginning.
FLAGS = ("-B", "-S", "-I", "-c")
BEGINNING = "from multiprocessing.resource_tracker import main\n"


@dataclass(frozen=True)
class Program:
    """The executable together with the place that it unpacks into."""

    file: Path
    place: Path

    @property
    def home(self) -> Path:
        """The private directory in the place."""
        return home(self.place)

    @property
    def version(self) -> Path:
        """The directory of the one unpacked version."""
        (folder,) = self.home.iterdir()
        return folder

    def start(self, *arguments: str, before: Sequence[str] = (), **settings: Any) -> subprocess.Popen[str]:
        """Start the executable, by default with nothing in its environment but the place."""
        settings.setdefault("env", {"CLAWMESH_RUNTIME_DIR": str(self.place)})
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*before, str(self.file), *arguments], text=True, **(pipes | settings))

    def run(self, *arguments: str, before: Sequence[str] = (), **settings: Any) -> subprocess.CompletedProcess[str]:
        """Run the executable to its end."""
        with self.start(*arguments, before=before, **settings) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def code(self, text: str) -> Sequence[str]:
        """Return the arguments that make the executable run Python code."""
        return *FLAGS, BEGINNING + text

    def python(self, code: str, **settings: Any) -> str:
        """Run Python code in the executable and return what it prints."""
        done = self.run(*self.code(code), **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass(frozen=True)
class Sandbox:
    """A place to run shell scripts that mount file systems without changing this machine."""

    command: Sequence[str]
    file: Path

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script that finds the executable at /mnt/clawmesh, whatever it hides by a mount."""
        words = [
            *self.command,
            "sh",
            "-ec",
            f'mount -t tmpfs none /mnt; cp "$0" /mnt/clawmesh; {script}',
            str(self.file),
        ]
        settings = {"PATH": os.environ["PATH"], **environment}
        return subprocess.run(words, env=settings, capture_output=True, text=True)


def home(place: Path) -> Path:
    """Return the private directory in a place."""
    return place / f"clawmesh-{os.geteuid()}"
