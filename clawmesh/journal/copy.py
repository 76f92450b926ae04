"""Copies of databases while others write to them: all as they were at one moment, and looked through."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import apsw

from clawmesh.errors import StorageError
from clawmesh.journal.connection import connect_alone, connect_viewing, explain, ours
from clawmesh.journal.soundness import require_whole

PAGES = 2_048
"""Are copied between two looks at how far it is."""


class View:
    """A database as it is at one moment; made by `views`."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection

    def hold(self) -> None:
        """From now on, see nothing that others write."""
        with ours(str(self.path)):
            self._connection.execute("BEGIN")
            self._connection.pragma("user_version")

    def copy(self, target: Path, tell: Callable[[float], None]) -> None:
        """Copy it into a file that is not there yet; `tell` hears which share of it is done.

        Raises:
            StorageError: it is damaged, or the copy cannot be written.
        """
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with closing(apsw.Connection(str(target), apsw.SQLITE_OPEN_READWRITE)) as copy:
                # Nobody else sees it, and if anything goes wrong with it there will be none.
                copy.pragma("journal_mode", "OFF")
                copy.pragma("synchronous", "OFF")
                with copy.backup("main", self._connection, "main") as backup:
                    while not backup.done:
                        backup.step(PAGES)
                        tell(1 - backup.remaining / max(1, backup.page_count))
        except OSError as error:
            raise StorageError(f"{target} cannot be written: {error.strerror}") from error
        except (apsw.FullError, apsw.CantOpenError) as error:
            raise StorageError(f"{target} cannot be written: {error}") from error
        except apsw.Error as error:
            raise StorageError(explain(error, str(self.path))) from error


@contextmanager
def views(paths: Sequence[Path]) -> Iterator[Sequence[View]]:
    """Show databases as they are at this moment, whatever is written to them during the block.

    Raises:
        StorageError: one of them cannot be read.
    """
    with ExitStack() as stack:
        found: list[View] = []
        for path in paths:
            with ours(str(path)):
                found.append(View(path, stack.enter_context(closing(connect_viewing(path)))))
        # All connections are there: so little time passes between the first and the last.
        for view in found:
            view.hold()
        yield found


@contextmanager
def looked_through(path: Path) -> Iterator[apsw.Connection]:
    """Open a copy for reading, after a look at everything in it.

    Raises:
        StorageError: it is damaged.
    """
    with ours(str(path)), closing(connect_alone(path)) as connection:
        require_whole(connection)
        yield connection
