"""A process of its own for work that must not touch ours: this program again, with little around it.

The child gets a request as JSON on its standard input and answers as JSON on its standard output. What the work itself
prints goes to standard error, of which the end is kept.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

import clawmesh
from clawmesh.errors import PluginError, StorageError

ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "TZ", "USER")
OUTPUT_BYTES = 64 * 1024


class Bounds(Struct, frozen=True):
    """What a child may use: seconds until it is killed, bytes of address space, bytes of any file it writes."""

    seconds: float
    memory_bytes: int | None = None
    file_bytes: int | None = None


class Outcome(Struct, frozen=True):
    """What a child answered, and the end of what it printed on the way."""

    answer: Any
    printed: str


def run(
    verb: Sequence[str], request: Any, *, bounds: Bounds, environ: Mapping[str, str], pass_on: Sequence[str]
) -> Outcome:
    """Run this program with `verb` in a process group of its own and return what it answered.

    `environ` is what it may see of the environment: the usual harmless names, and those in `pass_on`.

    Raises:
        PluginError: it took too long, was killed or ended without an answer; what it printed is in the message.
        StorageError: there is no place for temporary files, or the system gives no process.
    """
    kept = {name: value for name, value in environ.items() if name in ENVIRONMENT or name in pass_on}
    work = json.dumps({"request": request, "bounds": _limits(bounds)}).encode()
    try:
        with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as printed:
            streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": answer, "stderr": printed}
            command, env = [*_program(), *verb], kept | _python_path()
            process = subprocess.Popen(command, env=env, start_new_session=True, **streams)
            try:
                process.communicate(work, bounds.seconds)
            except subprocess.TimeoutExpired as error:
                raise PluginError(f"gave no answer within {bounds.seconds:g} s{_said(printed)}") from error
            finally:
                _kill(process)
            return _outcome(process.returncode, answer, printed)
    except OSError as error:
        raise StorageError(f"no process of its own can be started: {error}") from error


@contextmanager
def serving() -> Iterator[tuple[Any, IO[str]]]:
    """In the child: take on the limits, yield the request and the stream for the answer."""
    # Whoever prints, prints to standard error; only the answer goes where the parent reads it.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    wanted = json.load(sys.stdin)
    for name, limit in wanted["bounds"].items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    with stream:
        yield wanted["request"], stream


def _program() -> list[str]:
    # -P: a file in the working directory must not stand in for a module of the standard library.
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-P", "-m", "clawmesh"]


def _python_path() -> dict[str, str]:
    return {} if getattr(sys, "frozen", False) else {"PYTHONPATH": str(Path(clawmesh.__file__).parent.parent)}


def _limits(bounds: Bounds) -> dict[str, int]:
    limits = {"RLIMIT_AS": bounds.memory_bytes, "RLIMIT_FSIZE": bounds.file_bytes, "RLIMIT_CORE": 0}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the child and of what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(code: int, answer: IO[bytes], printed: IO[bytes]) -> Outcome:
    answer.seek(0)
    try:
        return Outcome(json.load(answer), _tail(printed))
    except ValueError as error:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        raise PluginError(f"{how} and gave no answer{_said(printed)}") from error


def _said(printed: IO[bytes]) -> str:
    tail = _tail(printed)
    return f"; it printed:\n{tail}" if tail else ""


def _tail(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - OUTPUT_BYTES))
    return stream.read(OUTPUT_BYTES).decode(errors="replace").strip()
