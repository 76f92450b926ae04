"""Measures the executable's suite `backends` beside its references, in turn and in one run.

They stream the same loads from the same mock provider: Go's net/http where Go is installed, and aiohttp.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec
import trustme

from clawmesh.bench.backends import judged, loads
from clawmesh.bench.provider import provider
from clawmesh.bench.streams import Figures, Load
from clawmesh.bench.suite import Check, Result, check
from peers import go_compiler
from steps import BUILD, ROOT, WORK

STREAMS = 10_000
SIZE_GOAL = 30.0
# Over TLS few streams with many chunks each, so that handshakes do not hide what a chunk costs.
TLS = Load(100, 1000, 4)
# The executable has no way to take the throw-away authority of a test, so this is its transport in the venv's Python.
TLS_NAME = "a chunk over TLS, transport alone: CPU"
# How many times what Go takes our figure may be.
RATIOS: Mapping[str, float] = {
    "a streamed request alone: CPU": 1.5,
    "a chunk at 50,000 a second: CPU": 1.0,
    TLS_NAME: 1.6,
}

Row = Mapping[str, float]


def compare(program: Path, rounds: int) -> tuple[Result, list[str]]:
    """Measure everything, `program` being the executable, and return it with the names of the references."""
    clients = dict(references())
    own: list[Result] = []
    figures: dict[str, list[Row]] = {name: [] for name in ("clawmesh", *clients)}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        own.append(executable(program))
        values = {check.name: check.value for check in own[-1].checks}
        figures["clawmesh"].append(
            {**values, TLS_NAME: chunk_over_tls([sys.executable, "-m", "clawmesh.bench.streams"])}
        )
        for name, words in clients.items():
            figures[name].append({**reference(words), TLS_NAME: chunk_over_tls(words)})
    return Result(own[-1].suite, own[-1].machine, [*merged(own[-1], figures), size(program)]), list(clients)


def references() -> Iterator[tuple[str, list[str]]]:
    """Yield each reference with the words that start it."""
    go = go_compiler()
    if go is not None:
        program = WORK / "streams"
        subprocess.run([go, "build", "-o", program, BUILD / "references" / "streams.go"], check=True)
        yield "Go", [str(program)]
    yield "aiohttp", [sys.executable, str(BUILD / "references" / "streams_aiohttp.py")]


def executable(program: Path) -> Result:
    """Run the executable's own suite."""
    words = [str(program), "bench", "--suite", "backends", "--streams", str(STREAMS), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout, type=Result)


def reference(words: Sequence[str]) -> Row:
    """Stream every load with one client."""
    with provider() as url:
        figures = {name: stream(words, url, load) for name, load in loads(STREAMS).items()}
    return {check.name: check.value for check in judged(figures)}


def chunk_over_tls(words: Sequence[str]) -> float:
    """Return the microseconds that one client takes for a chunk over TLS."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        ca_file, certificate = Path(folder, "ca.pem"), Path(folder, "server.pem")
        authority.cert_pem.write_to_path(str(ca_file))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        with provider(str(certificate)) as url:
            figures = stream([*words], url, TLS, str(ca_file))
    return figures.cpu_seconds / figures.chunks * 1e6


def stream(words: Sequence[str], url: str, load: Load, ca_file: str = "") -> Figures:
    """Run one load in a process of its own."""
    numbers = [str(number) for number in (load.streams, load.chunks, load.millis, load.rounds)]
    last = [ca_file] if ca_file else []
    done = subprocess.run([*words, url, *numbers, *last], stdout=subprocess.PIPE, check=True, cwd=ROOT)
    return msgspec.json.decode(done.stdout, type=Figures)


def merged(own: Result, rounds: Mapping[str, Sequence[Row]]) -> Iterator[Check]:
    """Yield the medians of all rounds, with the references beside and the goals that depend on them."""
    units = {check.name: (check.unit, check.goal) for check in own.checks} | {TLS_NAME: ("µs", None)}
    bare = {check.name: check.beside for check in own.checks}
    middles = {client: {name: median(row[name] for row in rows) for name in rows[0]} for client, rows in rounds.items()}
    for name, (unit, goal) in units.items():
        beside = {client: round(middles[client][name], 2) for client in middles if name in middles[client]}
        value = beside.pop("clawmesh")
        limit = RATIOS[name] * beside["Go"] if name in RATIOS and "Go" in beside else goal
        yield check(name, value, unit, limit, {**bare.get(name, {}), **beside})


def size(program: Path) -> Check:
    """Return the size of the executable."""
    return check("size of the executable", program.stat().st_size / 1e6, "MB", SIZE_GOAL)
