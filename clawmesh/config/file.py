"""Text files, read whole and within a bound."""

from __future__ import annotations

import os
import stat
from typing import TypeAlias

from msgspec import Struct

from clawmesh.errors import Problem

Identity: TypeAlias = tuple[int, int]
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Content(Struct, frozen=True):
    """The text of a file; `identity` is the same for every path that leads to the file."""

    text: str
    identity: Identity


def read_text(path: str | os.PathLike[str], limit: int) -> Content | Problem:
    """Return what a file of at most `limit` bytes holds, or the problem of reading it."""
    try:
        # Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return Problem("is not a file", os.fspath(path))
            data = _read(descriptor, min(status.st_size, limit) + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        return Problem(f"cannot be read: {error.strerror}", os.fspath(path))
    if len(data) > limit:
        return Problem(f"is larger than {limit // 2**20} MiB", os.fspath(path))
    text = _decoded(data, os.fspath(path))
    return text if isinstance(text, Problem) else Content(text, (status.st_dev, status.st_ino))


def _read(descriptor: int, wanted: int) -> bytes:
    """Read as much as is wanted, or to the end; not every file system gives it in one piece."""
    data = os.read(descriptor, wanted)
    while len(data) < wanted - 1:
        more = os.read(descriptor, wanted - len(data))
        if not more:
            break
        data += more
    return data


def _decoded(data: bytes, path: str) -> str | Problem:
    if data[:2] in _UTF_16:
        return Problem("is UTF-16, expected UTF-8", path)
    try:
        return data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Problem(f"is not UTF-8: found byte 0x{error.object[error.start]:02x}", path, line)
