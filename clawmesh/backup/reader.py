"""Read a backup, believing nothing that its hashes do not prove."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clawmesh.backup.manifest import MANIFEST, SEAL, Item, Manifest, decode, seal
from clawmesh.cluster.replacement import sync
from clawmesh.errors import StorageError

PIECE = 1 << 20
MANIFEST_BYTES = 64 << 20
ENTRIES = 200_000


class Backup:
    """A backup that is open for reading; made by `opened`."""

    def __init__(self, file: Path, stream: IO[bytes]) -> None:
        """Find what is in it.

        Raises:
            StorageError: it is none, it is damaged or cut off, or a newer ClawMesh made it.
        """
        self.file = file
        self._entries: dict[str, tarfile.TarInfo] = {}
        with self._ours():
            self._archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115 - the stream is the caller's
            for entry in self._archive:
                if not entry.isreg() or entry.name in self._entries or len(self._entries) > ENTRIES:
                    raise StorageError(f"{file} is no backup of ClawMesh: found {entry.name!r} in it")
                self._entries[entry.name] = entry
        content = self._small(MANIFEST)
        if self._small(SEAL) != seal(content):
            raise self._damaged(f"{MANIFEST} is not what was written")
        self.manifest: Manifest = decode(content, file)
        missing = [item.name for item in self.manifest.items if item.name not in self._entries]
        if missing or len(self._entries) != len(self.manifest.items) + 2:
            raise self._damaged(f"it holds other files than its manifest says{f': no {missing[0]}' if missing else ''}")

    def verify(self, tell: Callable[[float], None]) -> None:
        """Read all of it; `tell` hears which share is done.

        Raises:
            StorageError: a byte of it is not as it was written.
        """
        self._each(lambda _item: None, tell)

    def unpack(self, folder: Path, tell: Callable[[float], None]) -> None:
        """Write all files into an empty folder, and bring them to disk.

        Raises:
            StorageError: a byte is not as it was written, or the folder cannot be written.
        """
        folders = {folder}

        def place(item: Item) -> IO[bytes]:
            path = folder / item.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folders.update(parent for parent in path.parents if parent.is_relative_to(folder))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            return os.fdopen(descriptor, "wb")

        try:
            self._each(place, tell)
            for each in folders:
                sync(each)
        except OSError as error:
            raise StorageError(f"{error.filename or folder} cannot be written: {error.strerror}") from error

    def _each(self, place: Callable[[Item], IO[bytes] | None], tell: Callable[[float], None]) -> None:
        done = 0
        for item in self.manifest.items:
            target = place(item)
            try:
                digest = hashlib.sha256()
                for piece in self._pieces(item.name):
                    digest.update(piece)
                    done += len(piece)
                    if target is not None:
                        target.write(piece)
                    tell(done / max(1, self.manifest.size))
                if digest.hexdigest() != item.sha256:
                    raise self._damaged(f"{item.name} is not what was written")
                if target is not None:
                    target.flush()
                    os.fsync(target.fileno())
            finally:
                if target is not None:
                    target.close()

    def _pieces(self, name: str) -> Iterator[bytes]:
        with self._ours():
            stream = self._archive.extractfile(self._entries[name])
            assert stream is not None  # it is a regular file
        while True:
            with self._ours():
                piece = stream.read(PIECE)
            if not piece:
                return
            yield piece

    def _small(self, name: str) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise self._damaged(f"there is no {name} at its end: it is cut off, or no backup of ClawMesh")
        if entry.size > MANIFEST_BYTES:
            raise self._damaged(f"{name} is larger than {MANIFEST_BYTES >> 20} MiB")
        return b"".join(self._pieces(name))

    @contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            raise StorageError(f"{self.file} cannot be read: {error.strerror or error}") from error

    def _damaged(self, what: str) -> StorageError:
        return StorageError(f"the backup {self.file} is damaged: {what}; take another one")


@contextmanager
def opened(file: Path) -> Iterator[Backup]:
    """Open a backup.

    Raises:
        StorageError: it cannot be read, is none, is damaged or cut off, or a newer ClawMesh made it.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error
    with stream:
        yield Backup(file, stream)
