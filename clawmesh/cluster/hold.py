"""Who holds the data directory: one process, or a supervisor with its workers."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from clawmesh.cluster.replacement import finish
from clawmesh.config.location import prepare
from clawmesh.errors import HeldError, StorageError
from clawmesh.version import VERSION

LOCK = "mesh.lock"
SOCKETS = "run"
TRY = 0.02
LOCK_BYTES = 4096


class Holder(Struct, frozen=True):
    """The process that holds a data directory: its id, the command that it runs, and how many workers it has."""

    pid: int
    verb: str
    workers: int = 1
    version: str = VERSION

    def __str__(self) -> str:
        return f"clawmesh {self.verb} (process {self.pid})"


@contextmanager
def hold(data: Path, verb: str, workers: int = 1, *, wait: float = 0.0) -> Iterator[Holder]:
    """Hold a data directory for the time of the block, and for that of every process forked in it.

    `wait` is for how many seconds another holder may take to go. A restore that was interrupted is finished first.

    Raises:
        HeldError: another process holds it.
        StorageError: the directory cannot be made, or takes no file.
    """
    path = prepare(data) / LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        _lock(lock, data, time.monotonic() + wait)
        mine = Holder(os.getpid(), verb, workers)
        _write(lock, path, msgspec.json.encode(mine))
        (data / SOCKETS).mkdir(mode=0o700, exist_ok=True)
        try:
            finish(data)
            yield mine
        finally:
            _write(lock, path, b"")
    finally:
        os.close(lock)


def holder(data: Path) -> Holder | None:
    """Return what the last holder wrote of itself, None where it has ended in good order."""
    try:
        with (data / LOCK).open("rb") as file:
            return msgspec.json.decode(file.read(LOCK_BYTES), type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None


def socket_of(data: Path, worker: int) -> Path:
    """Return where a worker listens."""
    return data / SOCKETS / f"{worker}.sock"


def _lock(lock: int, data: Path, until: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until:
                who = holder(data) or "another process"
                raise HeldError(f"{who} holds the data directory {data}") from error
            time.sleep(TRY)
        except OSError as error:
            raise StorageError(f"the data directory {data} cannot be locked: {error.strerror}") from error
        else:
            return


def _write(lock: int, path: Path, content: bytes) -> None:
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, content, 0)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
