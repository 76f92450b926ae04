"""Private environments in build/venv, filled from the hash-locked files in build/requirements."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from steps import BUILD, ROOT, StepError, exclusive, fingerprint, run, step

REQUIREMENTS = BUILD / "requirements"
# In this order: a later file keeps the versions that an earlier one has chosen.
LOCKED = ("runtime", "build", "source", "compiler", "check", "test", "heavy")
# The frameworks that the benchmark measures beside ClawMesh; each has an environment of its own.
PEERS = ("agno", "langgraph", "autogen-core", "pydantic-ai", "openai-agents")


def environment(name: str, *requirements: str) -> Path:
    """Return the interpreter of build/venv/NAME after installing these requirement files, where they have changed.

    Raises StepError if this Python cannot make environments or a package cannot be installed.
    """
    home = BUILD / "venv" / name
    python = home / "bin" / "python"
    stamps = {each: home / f"{each}.installed" for each in requirements}
    prints = {each: fingerprint([REQUIREMENTS / f"{each}.txt"]) for each in requirements}
    with exclusive(f"venv-{name}"):
        installed = {each for each, stamp in stamps.items() if stamp.is_file()}
        if not installed or any(stamps[each].read_text() != prints[each] for each in installed):
            create(home)
            installed = set()
        for each in requirements:
            if each not in installed:
                step(f"installing build/requirements/{each}.txt into build/venv/{name}")
                install(python, "--only-binary=:all:", "-r", REQUIREMENTS / f"{each}.txt")
                stamps[each].write_text(prints[each])
    return python


def create(home: Path) -> None:
    """Make an empty environment.

    Raises StepError if this Python lacks what that takes, as Debian's does without python3-venv.
    """
    if find_spec("ensurepip") is None:
        raise StepError(f"{sys.executable} cannot make environments; on Debian: apt-get install python3-venv")
    shutil.rmtree(home, ignore_errors=True)
    run(sys.executable, "-m", "venv", home)


def install(python: Path, *arguments: str | Path) -> None:
    """Install packages whose hashes are given."""
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", *arguments)


def lock() -> None:
    """Choose versions anew and write build/requirements/*.txt.

    Raises StepError if the choice fails.
    """
    python = environment("check", "check")
    for name in (*LOCKED, *(f"peers-{peer}" for peer in PEERS)):
        source = ROOT / "pyproject.toml" if name == "runtime" else REQUIREMENTS / f"{name}.in"
        target = REQUIREMENTS / f"{name}.txt"
        step(f"locking {target.relative_to(ROOT)}")
        run(
            *(python, "-m", "uv", "pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--no-emit-index-url", "--no-annotate"),
            *("--custom-compile-command", "python3 build/make.py lock"),
            *(["--no-deps"] if name == "source" else []),
            *("--output-file", target, source.relative_to(ROOT)),
        )
