"""Measures the executable's suite `http` beside Go's net/http, in turn and in one run, with the same clients."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from msgspec.structs import replace

from clawmesh.bench import http
from clawmesh.bench.door import Door, Opener
from clawmesh.bench.service import ready
from clawmesh.bench.suite import Check, Result
from mesh import merged, printed, tell
from peers import REFERENCES, go_compiler
from steps import WORK, run

Row = Mapping[str, float]


def compare(program: Path, rounds: int, clients: int) -> tuple[Result, list[str]]:
    """Measure everything, `program` being the executable, and return it with the names of the references.

    Raises StepError if the executable cannot be measured.
    """
    others = dict(references())
    own: list[Result] = []
    rows: dict[str, list[Row]] = {name: [] for name in others}
    for number in range(rounds):
        said = f"round {number + 1} of {rounds}"
        tell(f"{said}: ClawMesh")
        own.append(printed([str(program), "bench", "--suite", http.NAME, "--clients", str(clients), "--json"]))
        for name, opener in others.items():
            tell(f"{said}: {name}")
            rows[name].append(figures(opener, clients))
    result = merged(own)
    return replace(result, checks=[*beside(result.checks, rows)]), list(others)


def references() -> Iterator[tuple[str, Opener]]:
    """Yield each reference with what starts it; raises StepError if one cannot be built."""
    compiler = go_compiler()
    if compiler is not None:
        WORK.mkdir(parents=True, exist_ok=True)
        run(compiler, "build", "-o", WORK / "serve-go", REFERENCES / "serve.go")
        yield "Go", served


@contextmanager
def served(url: str, connections: int) -> Iterator[Door]:
    """Start Go's server, on one core as ours, and end it with the block."""
    words = [str(WORK / "serve-go"), *([url] if url else [])]
    environ = {**os.environ, "GOMAXPROCS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, text=True, env=environ, stdin=pipe, stdout=pipe) as process:
        try:
            yield Door(int(ready(process).url.rpartition(":")[2]), process.pid)
        finally:
            process.kill()


def figures(opener: Opener, clients: int) -> Row:
    """Return the figures of a reference, by their names."""
    checks = http.run(clients, lambda what, share: None, http.COMMON, opener)
    return {check.name: check.value for check in checks}


def beside(checks: Sequence[Check], rows: Mapping[str, Sequence[Row]]) -> Iterator[Check]:
    """Yield our figures with the medians of the references beside."""
    for check in checks:
        found = {name: [row[check.name] for row in each if check.name in row] for name, each in rows.items()}
        yield replace(check, beside={name: median(values) for name, values in found.items() if values})
