"""Write a backup: whole or not at all, and read once more before it gets its name."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TypeAlias

from clawmesh.backup.content import DIVIDED, Content, gather
from clawmesh.backup.manifest import FORMAT, MANIFEST, SEAL, Item, Manifest, encode, seal
from clawmesh.backup.reader import Backup
from clawmesh.clock import Clock
from clawmesh.cluster.replacement import sync
from clawmesh.config.location import Places
from clawmesh.errors import StorageError, UsageError
from clawmesh.journal import schema
from clawmesh.journal.copy import View, looked_through, views
from clawmesh.version import VERSION

Tell: TypeAlias = Callable[[str, float], None]
"""Hears what is being done, and which share of it is."""


def write(
    file: Path, places: Places, environ: Mapping[str, str], clock: Clock, tell: Tell, warn: Callable[[str], None]
) -> Manifest:
    """Back up a data directory with its configuration into a new file, whether a mesh runs on it or not.

    `warn` hears of what has to be left out.

    Raises:
        UsageError: the file is there already, or there is nothing to back up.
        StorageError: a database is damaged, something cannot be read, or the file cannot be written.
    """
    if os.path.lexists(file):
        raise UsageError(f"{file} is there already: take another name, or remove it first")
    content = gather(places, environ, warn)
    if content.empty:
        raise UsageError(f"there is nothing to back up: no journal in {places.data}, and no configuration")
    try:
        with _draft(file) as draft:
            with tarfile.open(fileobj=draft, mode="w", format=tarfile.PAX_FORMAT) as archive:
                manifest = _Writing(archive, file, clock, tell).write(content, places.data)
            draft.flush()
            os.fsync(draft.fileno())
            draft.seek(0)
            Backup(file, draft).verify(lambda share: tell("reading it back", share))
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from error
    return manifest


class _Writing:
    def __init__(self, archive: tarfile.TarFile, file: Path, clock: Clock, tell: Tell) -> None:
        self._archive = archive
        self._file = file
        self._tell = tell
        self._now = clock.now()
        self._items: list[Item] = []

    def write(self, content: Content, data: Path) -> Manifest:
        divided = _read(data / DIVIDED)
        # All are taken at the same moment, first: what comes after it is small.
        with views([*content.databases.values()]) as found:
            if divided is not None:
                # While sessions move, nothing says where they are: then the next start moves them again.
                same = divided == _read(data / DIVIDED)
                self._add(DIVIDED, data / DIVIDED, divided if same else b"")
            for name, view in zip(content.databases, found, strict=True):
                self._copy(name, view)
        for name, path in content.files.items():
            held = _read(path)
            if held is not None:
                self._add(name, path, held)
        for name, (path, held) in content.plugins.items():
            self._add(name, path, held)
        items = tuple(self._items)
        manifest = Manifest(FORMAT, VERSION, len(schema.STEPS), self._now, str(data), content.config, items)
        encoded = encode(manifest)
        self._put(MANIFEST, len(encoded), BytesIO(encoded))
        self._put(SEAL, len(seal(encoded)), BytesIO(seal(encoded)))
        return manifest

    def _copy(self, name: str, view: View) -> None:
        copy = _hidden(self._file, ".db")
        copy.unlink(missing_ok=True)
        try:
            view.copy(copy, lambda share: self._tell(name, share))
            self._tell(f"looking through {name}", 1.0)
            with looked_through(copy):
                pass
            with copy.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                size = stream.seek(0, os.SEEK_END)
                stream.seek(0)
                self._put(name, size, stream)
            self._items.append(Item(name, size, digest, str(view.path)))
        finally:
            copy.unlink(missing_ok=True)

    def _add(self, name: str, path: Path, content: bytes) -> None:
        self._put(name, len(content), BytesIO(content))
        self._items.append(Item(name, len(content), hashlib.sha256(content).hexdigest(), str(path)))

    def _put(self, name: str, size: int, content: IO[bytes]) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = size
        entry.mode = 0o600
        entry.mtime = int(self._now)
        self._archive.addfile(entry, content)


@contextmanager
def _draft(file: Path) -> Iterator[IO[bytes]]:
    """Open a file beside the one that is wanted, and give it that name when the block ends well."""
    draft = _hidden(file, "")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(f"{draft} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w+b") as stream:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(f"another process writes the backup {file}") from error
        try:
            os.ftruncate(descriptor, 0)  # what one that was killed has left
            os.fchmod(descriptor, 0o600)
            yield stream
            _publish(draft, file)
        finally:
            draft.unlink(missing_ok=True)


def _publish(draft: Path, file: Path) -> None:
    """Give the draft its name, which nobody else may have got meanwhile."""
    try:
        try:
            os.link(draft, file)
        except FileExistsError:
            raise
        except OSError:
            draft.replace(file)  # a file system without links
        sync(file.parent)
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from error


def _hidden(file: Path, suffix: str) -> Path:
    return file.with_name(f".{file.name}.part{suffix}")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
