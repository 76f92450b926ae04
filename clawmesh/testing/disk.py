"""A disk under a test's control: it can lose power, fill up and fail, under the real SQLite and the real journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeAlias

import apsw

SECTOR = 512
Change: TypeAlias = tuple[int, bytes | None]
"""Bytes written at an offset, or None for a file cut off there."""


class Content:
    """A file: what programs see of it, and what is safe."""

    def __init__(self, safe: bytes = b"") -> None:
        self.seen = bytearray(safe)
        self.safe = bytearray(safe)
        self.changes: list[Change] = []
        """What is seen and not yet safe, in its order."""

    def change(self, offset: int, data: bytes | None) -> None:
        _apply(self.seen, (offset, data))
        self.changes.append((offset, data))

    def sync(self) -> None:
        for change in self.changes:
            _apply(self.safe, change)
        self.changes.clear()

    def copy(self) -> Content:
        copy = Content(bytes(self.safe))
        copy.seen[:] = self.seen
        copy.changes = list(self.changes)
        return copy

    def after_power_loss(self, random: Random) -> Content:
        """Return the file with all, some sectors or nothing of each change that was not safe."""
        content = Content(bytes(self.safe))
        for change in self.changes:
            share = random.choice((0.0, random.random(), 1.0))
            for piece in _sectors(change):
                if random.random() < share:
                    _apply(content.seen, piece)
        return Content(bytes(content.seen))


class Disk:
    """Holds files in memory.

    `full` refuses new bytes, `failing` is how many of the next syncs fail; `touched` is called before anything is
    written or brought to safety.

    A sync that fails loses some of what it should have brought to safety, and no later one brings it there: the
    system has forgotten that it is not safe.
    """

    def __init__(self, random: Random) -> None:
        self.full = False
        self.failing = 0
        self.syncs = 0
        self.written = 0
        self.touched: Callable[[], None] = _nothing
        self._random = random
        self._files: dict[str, Content] = {}

    @contextmanager
    def mounted(self) -> Iterator[str]:
        """Yield the name of a VFS that reads and writes this disk."""
        name = f"disk-{id(self)}"
        system = System(self, name)
        try:
            yield name
        finally:
            system.unregister()

    def after_kill(self) -> Disk:
        """Return the disk as the next process finds it; what the old one still does to the old disk has no effect."""
        disk = Disk(self._random)
        disk._files = {path: content.copy() for path, content in self._files.items()}
        return disk

    def after_power_loss(self) -> Disk:
        """Return the disk as it is after a loss of power at this moment."""
        disk = Disk(self._random)
        for path, content in self._files.items():
            if content.safe or not content.changes or self._random.random() < 0.5:
                disk._files[path] = content.after_power_loss(self._random)
        return disk

    def sync(self, content: Content) -> None:
        self.touched()
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
    """A file that is open."""

    def __init__(self, disk: Disk, content: Content) -> None:
        self._disk = disk
        self._content = content

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._content.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.touched()
        if self._disk.full and offset + len(data) > len(self._content.seen):
            raise apsw.exception_for(apsw.SQLITE_FULL)
        self._disk.written += len(data)
        self._content.change(offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._content.change(size, None)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.sync(self._content)

    def xFileSize(self) -> int:  # noqa: N802
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


def _nothing() -> None:
    return


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
