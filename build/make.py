"""Build, test and run ClawMesh: python3 build/make.py run|test|exe|image|check|bench|lock

run    build the executable if its sources have changed, then show `clawmesh demo`
test   fetch what the tests need, build the executable, run all tests; further arguments go to pytest
exe    build the executable, build/dist/clawmesh
image  build the container image, build/dist/clawmesh-image.tar
check  ruff, mypy and the test of the layers
bench  build the executable and measure it beside what else there is; further arguments go to build/bench.py
lock   choose the newest versions of all requirements and write them with their hashes

Needs Python 3.11 or newer and nothing else: all packages go to build/venv, with locked hashes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from environment import environment, lock
from executable import EXECUTABLE, build_executable
from image import build_image
from steps import ROOT, StepError, show, step
from supplies import fetch_model, fetch_node_packages, install_tools

VERBS = ("run", "test", "exe", "image", "check", "bench", "lock")
WITH_ARGUMENTS = ("test", "bench")


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say and return the exit code."""
    verb, *rest = arguments or ["--help"]
    if verb not in VERBS or (rest and verb not in WITH_ARGUMENTS):
        print(__doc__)
        return 0 if verb in ("-h", "--help") else 2
    try:
        return do(verb, rest)
    except StepError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def do(verb: str, rest: Sequence[str]) -> int:
    """Do what one verb stands for."""
    if verb == "run":
        build_executable()
        return show(EXECUTABLE, "demo")
    if verb == "test":
        return test(rest)
    if verb == "check":
        return check()
    if verb == "bench":
        build_executable()
        # The references import the pieces of the suite that they share with it.
        return show(test_environment(), "build/bench.py", *rest, environment={**os.environ, "PYTHONPATH": str(ROOT)})
    if verb == "lock":
        lock()
    elif verb == "image":
        build_image()
    else:
        build_executable()
    return 0


def test_environment() -> Path:
    """Return the interpreter that has everything the tests and the benchmark import."""
    return environment("test", "runtime", "check", "test", "heavy")


def test(rest: Sequence[str]) -> int:
    """Fetch what the tests need and run them; a test whose need is not met is skipped and says so."""
    python = test_environment()
    build_executable()
    install_tools()
    fetch_model(python)
    fetch_node_packages()
    return show(python, "-m", "pytest", *rest)


def check() -> int:
    """Run every static check, also after one has failed."""
    python = environment("test", "runtime", "check", "test")
    codes = []
    for words in ("ruff check", "ruff format --check", "mypy", "pytest -q tests/test_layers.py"):
        step(words)
        codes.append(show(python, "-m", *words.split()))
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
