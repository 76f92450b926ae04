"""Unix sockets by path."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from clawmesh.cluster.socket import dial, listen, owner
from clawmesh.errors import JointError, StorageError


@pytest.mark.parametrize("depth", [1, 3])
def test_a_long_path_is_as_good_as_a_short_one(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["f" * 100] * depth)
    folder.mkdir(parents=True)
    mask = os.umask(0)
    try:
        server = listen(folder / "0.sock")
    finally:
        os.umask(mask)
    with server, dial(folder / "0.sock") as client:
        assert owner(client) == os.geteuid()
        assert stat.S_IMODE((folder / "0.sock").stat().st_mode) == 0o600


def test_the_socket_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    listen(tmp_path / "0.sock").close()
    with pytest.raises(JointError, match=r"nobody answers at .*0\.sock: Connection refused"):
        dial(tmp_path / "0.sock")
    with listen(tmp_path / "0.sock"), dial(tmp_path / "0.sock"):
        pass


def test_no_folder_no_socket(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no socket can be opened"):
        listen(tmp_path / "gone" / "0.sock")
    with pytest.raises(JointError, match="nobody answers"):
        dial(tmp_path / "gone" / "0.sock")


def test_without_a_file_descriptor_left_both_say_so(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"no socket can be made for .*: Too many open files"):
            listen(tmp_path / "0.sock")
        with pytest.raises(JointError, match=r"no socket can be made for .*: Too many open files"):
            dial(tmp_path / "0.sock")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
