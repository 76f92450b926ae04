"""Unix sockets by their path, however long it is."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from clawmesh.errors import JointError, StorageError

T = TypeVar("T")
BACKLOG = 1024
# What struct sockaddr_un holds, less the zero at its end; 103 elsewhere.
LONGEST = 103


def listen(path: Path) -> socket.socket:
    """Return a socket that listens there, for this user alone; one that a dead process left is replaced.

    Raises:
        StorageError: the folder is not there or takes no socket.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise StorageError(f"no socket can be made for {path}: {error.strerror}") from error
    try:
        sock.setblocking(False)
        os.fchmod(sock.fileno(), 0o600)
        unlink(path)
        _named(path, sock.bind)
        path.chmod(0o600)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StorageError(f"no socket can be opened at {path}: {error.strerror or error}") from error
    return sock


def dial(path: Path) -> socket.socket:
    """Return a socket that is connected to the one there.

    Raises:
        JointError: nobody listens, or this process has no file descriptor left.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise JointError(f"no socket can be made for {path}: {error.strerror}") from error
    try:
        # A Unix socket connects at once or not at all, but blocks where too many wait to be heard.
        sock.setblocking(False)
        _named(path, sock.connect)
    except OSError as error:
        sock.close()
        raise JointError(f"nobody answers at {path}: {error.strerror or error}") from error
    return sock


def unlink(path: Path) -> None:
    """Remove a socket, if it is there."""
    with suppress(FileNotFoundError):
        path.unlink()


def owner(sock: socket.socket) -> int | None:
    """Return the user id of the process at the other end, None where the system does not say it."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _named(path: Path, use: Callable[[str], T]) -> T:
    """Call `use` with a name for this path that is short enough to be a socket's."""
    if len(os.fsencode(path)) <= LONGEST:
        return use(str(path))
    with _opened(path.parent) as folder:
        return use(f"/proc/self/fd/{folder}/{path.name}")


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
