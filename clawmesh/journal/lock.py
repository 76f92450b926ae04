"""One process to a journal: the lock, and the mark of an end that was not clean."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from clawmesh.errors import StorageError

WRITTEN, CLOSED = b"written", b"closed"


class Lock:
    """Holds `PATH.lock` until the end of the block, or of the process.

    The file names the process, and says whether it has written. What still stands there when the next one takes the
    lock tells that the last one wrote and did not end in good order, `unclean`, or that any did, `written`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor = -1
        self._marked = False
        self.unclean = False
        self.written = False

    def __enter__(self) -> Lock:
        """Take the lock.

        Raises:
            StorageError: another process has it, or the file cannot be made.
        """
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                said = os.pread(self._descriptor, 100, 0)
                self.unclean = WRITTEN in said
                self.written = self.unclean or CLOSED in said
                if not self.unclean:
                    self._write(CLOSED if self.written else b"", sync=False)
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
        """Note that something was written, so that it is known after a power loss too."""
        if not self._marked:
            self._write(WRITTEN, sync=True)
            self._marked = True

    def clear(self) -> None:
        """Note that everything is in good order."""
        if self._marked or self.unclean:
            self._write(CLOSED, sync=True)
            self._marked = self.unclean = False

    def _write(self, text: bytes, *, sync: bool) -> None:
        content = b"%d %b\n" % (os.getpid(), text)
        try:
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error

    def _holder(self) -> str:
        try:
            number = self._path.read_text().partition(" ")[0]
        except OSError:
            return ""
        return f" by process {number}" if number.isdigit() else ""
