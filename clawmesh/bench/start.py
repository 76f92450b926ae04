"""How long ClawMesh takes to start, and to load ten thousand agents."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median

from clawmesh.bench.fixture import temporary
from clawmesh.bench.suite import Check, check
from clawmesh.config.load import load
from clawmesh.frozen import executable

AGENTS = 10_000
RUNS = 11
LOAD_GOAL = 2.0
# A bare interpreter is the floor of every program written in Python.
START_RATIO = 3.0

HEAD = """
[backends.local]
type = "openai"
base_url = "http://127.0.0.1:9/v1"
"""
AGENT = """
[agents.helper_{number}]
backend = "local"
model = "qwen3"
instructions = "You help customer {number} with whatever they ask."
tools = ["clock", "calc*"]
peers = ["helper_{peer}"]

[agents.helper_{number}.limits]
steps = 8
"""


def checks() -> Iterator[Check]:
    """Yield the figures."""
    ours, floor = paired([*command(), "--version"], bare())
    goal = None if floor is None else START_RATIO * floor
    yield check("start: --version", ours, "ms", goal, {} if floor is None else {"python -I -S": round(floor, 1)})
    yield check("10,000 agents loaded and checked", loading(), "s", LOAD_GOAL)


def command() -> list[str]:
    """Return the words that start ClawMesh as this process was started."""
    return [str(executable())] if getattr(sys, "frozen", False) else [sys.executable, "-m", "clawmesh"]


def bare() -> list[str] | None:
    """Return the words that start a bare interpreter, if this machine has one."""
    python = shutil.which("python3") if getattr(sys, "frozen", False) else sys.executable
    if python is None:
        return None
    # What is on PATH may be a script that looks for an interpreter each time.
    itself = subprocess.run([python, "-c", "import sys; print(sys.executable)"], stdout=subprocess.PIPE, text=True)
    return [itself.stdout.strip() or python, "-I", "-S", "-c", "pass"]


def paired(ours: Sequence[str], theirs: Sequence[str] | None) -> tuple[float, float | None]:
    """Return the median times of two commands in milliseconds, run in turn so that both meet the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS):
        for words, spent in zip((ours, theirs), times, strict=True):
            if words:
                began = time.perf_counter()
                subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
                spent.append((time.perf_counter() - began) * 1000)
    return median(times[0]), median(times[1]) if theirs else None


def loading() -> float:
    """Return the seconds that ten thousand agents take from their file to checked values."""
    text = HEAD + "".join(AGENT.format(number=number, peer=(number + 1) % AGENTS) for number in range(AGENTS))
    with temporary() as folder:
        path = folder / "clawmesh.toml"
        path.write_text(text, encoding="utf-8")
        began = time.perf_counter()
        config = load(path, {})
        seconds = time.perf_counter() - began
    assert len(config.agents) == AGENTS
    return seconds
