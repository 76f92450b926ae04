"""Where plugins lie, and their bytes: read once, so that what is hashed is what is compiled."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from clawmesh.errors import PluginError

FILE_BYTES = 4 * 1024 * 1024
PACKAGE_BYTES = 32 * 1024 * 1024
PACKAGE_FILES = 1000
INIT = "__init__.py"

Origin: TypeAlias = Literal["bundled", "user"]


class Source(Struct, frozen=True):
    """A plugin on disk: `path` is its `.py` file, or the folder of a package."""

    name: str
    path: Path
    origin: Origin

    @property
    def package(self) -> bool:
        return self.path.suffix != ".py"

    @property
    def main(self) -> Path:
        return self.path / INIT if self.package else self.path

    @classmethod
    def at(cls, path: Path, origin: Origin = "user") -> Source:
        path = Path(os.path.abspath(path))
        return cls(path.stem if path.suffix == ".py" else path.name, path, origin)


class Snapshot(Struct, frozen=True):
    """A plugin's files as they were at one moment: names relative to its folder, contents, and one hash over all.

    The hash of a single file is the SHA-256 of its bytes. That of a package is the SHA-256 over `<SHA-256> <name>` and
    a zero byte for each of its files, sorted by name.
    """

    files: Mapping[str, bytes]
    digest: str

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))


def find(folder: Path, origin: Origin) -> list[Source]:
    """Return the plugins of a folder by name: `.py` files and packages, apart from names that begin with `_` or `.`."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PluginError(f"{folder}: cannot be read: {error.strerror}") from error
    return [Source.at(folder / entry.name, origin) for entry in entries if _plugin(entry)]


def read(source: Source) -> Snapshot:
    """Return a plugin's bytes.

    Raises:
        PluginError: it cannot be read, is too big, or other users could change it or what it points to.
    """
    try:
        return _package(source) if source.package else _file(source)
    except OSError as error:
        place = error.filename or source.path
        raise PluginError(f"{place}: cannot be read: {error.strerror}", plugin=source.name) from error


def _plugin(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(("_", ".")):
        return False
    # A link is listed, whatever it points to, so that its refusal can be seen.
    return entry.name.endswith(".py") or (entry.is_dir() and os.path.exists(os.path.join(entry.path, INIT)))


def _file(source: Source) -> Snapshot:
    folder = source.path.parent
    _check(folder, folder.stat(), source)
    content = _content(source.path, source)
    return Snapshot({source.path.name: content}, hashlib.sha256(content).hexdigest())


def _package(source: Source) -> Snapshot:
    _check(source.path.parent, source.path.parent.stat(), source)
    files: dict[str, bytes] = {}
    size = 0
    for path in sorted(_walk(source.path, source)):
        content = _content(path, source)
        size += len(content)
        files[path.relative_to(source.path).as_posix()] = content
        if size > PACKAGE_BYTES or len(files) > PACKAGE_FILES:
            limit = f"{PACKAGE_FILES} files and {PACKAGE_BYTES >> 20} MiB"
            raise PluginError(f"{source.path}: is too big for a plugin; at most {limit} are taken", plugin=source.name)
    lines = [f"{hashlib.sha256(files[name]).hexdigest()} {name}\0" for name in sorted(files)]
    return Snapshot(files, hashlib.sha256("".join(lines).encode()).hexdigest())


def _walk(folder: Path, source: Source) -> Iterator[Path]:
    _check(folder, folder.lstat(), source)
    with os.scandir(folder) as scanned:
        entries = list(scanned)
    for entry in entries:
        path = folder / entry.name
        if entry.is_symlink():
            _check(path, path.lstat(), source)
        elif entry.is_dir():
            # Compiled code is never loaded from a user's folder, and Python rewrites it at will.
            if entry.name != "__pycache__":
                yield from _walk(path, source)
        else:
            yield path


def _content(path: Path, source: Source) -> bytes:
    _check(path, path.lstat(), source)
    # O_NOFOLLOW and the second look at what was opened close the gap after the first; O_NONBLOCK is for pipes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        _check(path, status, source)
        if not stat.S_ISREG(status.st_mode):
            raise PluginError(f"{path}: is no regular file", plugin=source.name)
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise PluginError(f"{path}: is larger than {FILE_BYTES >> 20} MiB", plugin=source.name)
    return content


def _check(path: Path, status: os.stat_result, source: Source) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise PluginError(f"{path}: is a symbolic link; put the file itself there", plugin=source.name)
    if status.st_mode & 0o022:
        who = "everyone" if status.st_mode & 0o002 else "its group"
        reason = f"{path}: can be written by {who} (mode {stat.S_IMODE(status.st_mode):04o})"
        raise PluginError(f"{reason}; run: chmod go-w {path}", plugin=source.name)
