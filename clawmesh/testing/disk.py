"""A disk under a test's control: it can lose power, fill up and fail, under the real SQLite and the real journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeAlias

import apsw

SECTOR = 512
Change: TypeAlias = tuple[int, bytes | None]
"""Bytes written at an offset, or None for a file cut off there."""


class Content:
    """A file: what programs see of it, and what is safe."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.safe = bytearray()
        self.changes: list[Change] = []
        """What is seen and not yet safe, in its order."""

    def change(self, offset: int, data: bytes | None) -> None:
        _apply(self.seen, (offset, data))
        self.changes.append((offset, data))

    def sync(self) -> None:
        for change in self.changes:
            _apply(self.safe, change)
        self.changes.clear()

    def lose(self, random: Random) -> None:
        """Keep of every change that is not safe all, nothing, or some sectors."""
        for change in self.changes:
            share = random.choice((0.0, random.random(), 1.0))
            for piece in _sectors(change):
                if random.random() < share:
                    _apply(self.safe, piece)
        self.changes.clear()
        self.seen = bytearray(self.safe)


class Disk:
    """Holds files in memory. `full` refuses new bytes, `failing` is how many of the next syncs fail.

    A sync that fails loses some of what it should have brought to safety, and no later one brings it there: the
    system has forgotten that it is not.
    """

    def __init__(self, random: Random) -> None:
        self.full = False
        self.failing = 0
        self.syncs = 0
        self.written = 0
        self._random = random
        self._files: dict[str, Content] = {}
        self._boots = 0
        self._system: System | None = None

    @contextmanager
    def mounted(self) -> Iterator[str]:
        """Yield the name of a VFS that reads and writes this disk."""
        name = f"disk-{id(self)}"
        self._system = System(self, name)
        try:
            yield name
        finally:
            self._system.unregister()

    @property
    def boots(self) -> int:
        """How many times it was left behind by a process; what that process still has open then fails."""
        return self._boots

    def crash(self) -> None:
        """Lose the process, keep all that it wrote."""
        self._boots += 1

    def lose_power(self) -> None:
        """Lose the process and what was not brought to safety, or some of it."""
        self._boots += 1
        for path in list(self._files):
            content = self._files[path]
            if not content.safe and content.changes and self._random.random() < 0.5:
                del self._files[path]
            else:
                content.lose(self._random)

    def sync(self, content: Content) -> None:
        self.syncs += 1
        if self.failing:
            self.failing -= 1
            content.changes = [change for change in content.changes if self._random.random() < 0.5]
            content.sync()
            raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)
        content.sync()

    def open(self, path: str, *, create: bool) -> Content:
        if path not in self._files:
            if not create:
                raise apsw.exception_for(apsw.SQLITE_CANTOPEN)
            self._files[path] = Content()
        return self._files[path]

    def delete(self, path: str) -> None:
        self._files.pop(path, None)

    def exists(self, path: str) -> bool:
        return path in self._files


class System(apsw.VFS):
    """The files of one disk, as SQLite asks for them; there is no shared memory."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        super().__init__(name, base="unix-none")

    def xFullPathname(self, name: str) -> str:  # noqa: N802 - SQLite's name
        return name

    def xAccess(self, path: str, flags: int) -> bool:  # noqa: N802
        return self._disk.exists(path)

    def xDelete(self, path: str, sync_folder: bool) -> None:  # noqa: N802
        self._disk.delete(path)

    def xOpen(self, path: Any, flags: list[int]) -> Any:  # noqa: N802
        flags[1] = flags[0]
        name = path.filename() if isinstance(path, apsw.URIFilename) else path
        return File(self._disk, self._disk.open(name, create=bool(flags[0] & apsw.SQLITE_OPEN_CREATE)))


class File:
    """One opening of a file; it fails once its process is gone."""

    def __init__(self, disk: Disk, content: Content) -> None:
        self._disk = disk
        self._content = content
        self._boot = disk.boots

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._require_alive()
        return bytes(self._content.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._require_alive()
        if self._disk.full and offset + len(data) > len(self._content.seen):
            raise apsw.exception_for(apsw.SQLITE_FULL)
        self._disk.written += len(data)
        self._content.change(offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._require_alive()
        self._content.change(size, None)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._require_alive()
        self._disk.sync(self._content)

    def xFileSize(self) -> int:  # noqa: N802
        self._require_alive()
        return len(self._content.seen)

    def xClose(self) -> None:  # noqa: N802
        return

    def xLock(self, level: int) -> None:  # noqa: N802
        return

    def xUnlock(self, level: int) -> None:  # noqa: N802
        return

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, operation: int, pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def _require_alive(self) -> None:
        if self._boot != self._disk.boots:
            raise apsw.exception_for(apsw.SQLITE_IOERR)


def _apply(content: bytearray, change: Change) -> None:
    offset, data = change
    if data is None:
        del content[offset:]
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _sectors(change: Change) -> Iterator[Change]:
    offset, data = change
    if data is None:
        yield change
    else:
        yield from ((offset + cut, data[cut : cut + SECTOR]) for cut in range(0, len(data), SECTOR))
