"""Files that only their owner may write, changed by one process at a time and replaced whole."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clawmesh.errors import StorageError


def read_private(file: Path) -> bytes | None:
    """Return what a file holds, None where there is none.

    Raises:
        StorageError: it cannot be read, or others could have written it.
    """
    try:
        with file.open("rb") as stream:
            _require_own(file, os.fstat(stream.fileno()), "600")
            # Who can write to the folder can put another file in its place.
            _require_own(file.parent, file.parent.stat(), "700")
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{file}: cannot be read: {error.strerror}") from error


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock under which a file is read, changed and replaced.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{file}: cannot be written: {error.strerror}") from error


def replace(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; on return it is on disk.

    Raises:
        StorageError: it cannot be written.
    """
    draft = file.with_suffix(".new")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        os.replace(draft, file)
    except OSError as error:
        raise StorageError(f"{file}: cannot be written: {error.strerror}") from error


def _require_own(path: Path, status: os.stat_result, wanted: str) -> None:
    if status.st_mode & 0o022:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise StorageError(f"{path}: can be written by others (mode {mode}); check it, then chmod {wanted} it")
    if status.st_uid not in (0, os.geteuid()):
        raise StorageError(f"{path}: belongs to another user (uid {status.st_uid}); nothing that it says is trusted")
