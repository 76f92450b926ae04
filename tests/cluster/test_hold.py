"""Holding a data directory."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from clawmesh.cluster.hold import Holder, hold, holder
from clawmesh.errors import HeldError, StorageError


def test_one_process_holds_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert holder(data) is None
    with hold(data, "serve", 2) as mine:
        assert mine == Holder(os.getpid(), "serve", 2)
        assert holder(data) == mine
        with pytest.raises(HeldError, match=rf"clawmesh serve \(process {os.getpid()}\) holds the data directory"):
            hold(data, "ask").__enter__()
        assert holder(data) == mine
    assert holder(data) is None
    with hold(data, "ask"):
        pass


def test_the_death_of_the_holder_and_its_forks_sets_it_free(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        with hold(tmp_path, "serve"):
            os.write(writing, b"1")
            signal.pause()
    os.read(reading, 1)
    with pytest.raises(HeldError):
        hold(tmp_path, "ask").__enter__()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with hold(tmp_path, "ask", wait=5) as mine:
        assert holder(tmp_path) == mine
    os.close(reading)
    os.close(writing)


def test_what_cannot_be_a_data_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        hold(tmp_path / "file", "ask").__enter__()
    (tmp_path / "mesh.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="cannot be opened"):
        hold(tmp_path, "ask").__enter__()
