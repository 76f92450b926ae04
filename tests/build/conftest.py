"""The executable, new and used, and a place where file systems can be mounted."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build.program import Program, Sandbox


@pytest.fixture
def program(executable: Path, tmp_path: Path) -> Program:
    """Return the executable, never started before."""
    return Program(executable, tmp_path)


@pytest.fixture(scope="session")
def unpacked(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Return the executable after its first start."""
    program = Program(executable, tmp_path_factory.mktemp("runtime"))
    assert program.run("--version").returncode == 0
    return program


@pytest.fixture(scope="session")
def sandbox(executable: Path) -> Sandbox:
    """Return a place to mount file systems, as root or, where the kernel allows it, as anyone."""
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may not make a mount namespace")
    return Sandbox(command, executable)


@pytest.fixture(scope="session")
def root() -> None:
    """Skip a test that only root can run."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
