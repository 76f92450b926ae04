"""Steps of the build: one line for each, and on failure the command with the end of its output."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
CACHE = BUILD / "cache"
WORK = BUILD / "work"
TAIL = 40


class StepError(Exception):
    """A step failed; the message holds its command and the end of its output."""


def step(text: str) -> None:
    """Print what the build does next."""
    print(f"* {text}", flush=True)


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command quietly in the project's folder.

    Raises StepError if it cannot be started or does not end with 0.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise StepError(f"{' '.join(words)}\ncannot be started: {error}") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-TAIL:])
        raise StepError(f"{' '.join(words)}\nended with {done.returncode}; the end of its output:\n{tail}")


def show(*command: str | Path, environment: Mapping[str, str] | None = None) -> int:
    """Run a command in the project's folder with its output on the terminal and return its exit code."""
    return subprocess.run([str(word) for word in command], cwd=ROOT, env=environment).returncode


def fingerprint(files: Iterable[Path]) -> str:
    """Return a hash over the files' names and contents and over this Python."""
    total = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode())
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{content} {file.relative_to(ROOT)}\n".encode())
    return total.hexdigest()


def unless_done(stamp: Path, files: Iterable[Path], action: Callable[[], None]) -> None:
    """Run an action unless the stamp says that it was done with these very files."""
    current = fingerprint(files)
    if stamp.is_file() and stamp.read_text() == current:
        return
    stamp.unlink(missing_ok=True)
    action()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(current)


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Let one process at a time make the thing of this name; the others wait, and then find it made."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step(f"waiting for another build of {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
