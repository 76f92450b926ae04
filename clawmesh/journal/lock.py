"""One process to a journal: the lock, and the mark of an end that was not clean."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from clawmesh.errors import StorageError


class Lock:
    """Holds `PATH.lock` until the end of the block, or of the process.

    While the journal is in use, the file names the process. What still stands there when the next one takes the lock
    tells that the last one did not end in good order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor = -1
        self.unclean = False

    def __enter__(self) -> Lock:
        """Take the lock.

        Raises:
            StorageError: another process has it, or the file cannot be made.
        """
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.unclean = bool(self._read())
            except BaseException:
                os.close(self._descriptor)
                raise
        except BlockingIOError as error:
            raise StorageError(f"the journal is in use{self._holder()}: {self._path}") from error
        except OSError as error:
            raise StorageError(f"{self._path} cannot be locked: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def mark(self) -> None:
        """Write down that the journal is in use."""
        self._write(f"{os.getpid()}\n".encode())

    def clear(self) -> None:
        """Write down that it was left in good order."""
        self._write(b"")

    def _read(self) -> bytes:
        return os.pread(self._descriptor, 20, 0)

    def _write(self, text: bytes) -> None:
        try:
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))
            os.fsync(self._descriptor)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error

    def _holder(self) -> str:
        try:
            text = self._path.read_text().strip()
        except OSError:
            return ""
        return f" by process {text}" if text.isdigit() else ""
