"""The journal's file: made for this user alone, renewed from older versions, looked through after a bad end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from clawmesh.config.location import prepare
from clawmesh.errors import StorageError
from clawmesh.journal import schema
from clawmesh.journal.connection import connect_reading, connect_writing, ours, renew_log
from clawmesh.journal.soundness import require_sound


def make_ready(path: Path, *, unclean: bool, written: bool = False, steps: Sequence[str] = schema.STEPS) -> None:
    """Bring the file into the state in which it can be written.

    `written` says that there was something in it, `unclean` that its last process did not end in good order.

    Raises:
        StorageError: it is damaged, of a newer version, another program's, or cannot be written.
    """
    prepare(path.parent)
    with ours(str(path)):
        if not path.exists() or not path.stat().st_size:
            if written:
                raise _lost(path)
            _create(path)
        elif unclean:
            _look_through(path)
        renew_log(str(path))
        with closing(connect_writing(str(path))) as connection:
            found = schema.version(connection, str(path), len(steps))
            if 0 < found < len(steps):
                _back_up(connection, path, found)
            if found < len(steps):
                schema.migrate(connection, found, steps)


def _lost(path: Path) -> StorageError:
    what = "is empty" if path.exists() else "is gone"
    return StorageError(
        f"the journal {path} {what}, and with it all that was written to it: put it back,"
        f" or remove {path.name}.lock to begin anew"
    )


def _look_through(path: Path) -> None:
    """Refuse a damaged file before anything is written to it."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        raise StorageError(
            f"the journal {path} was not closed in good order and its log {log.name} is gone, perhaps with what was"
            f" last written: put it back, or remove {path.name}.lock to go on without"
        )
    with closing(connect_reading(str(path))) as connection:
        require_sound(connection)


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        _sync(path.parent)
        _sync(path.parent.parent)
    except OSError as error:
        raise StorageError(f"the journal {path} cannot be opened: {error.strerror}") from error


def _back_up(connection: apsw.Connection, path: Path, found: int) -> None:
    """Keep the file as it is beside the one that is renewed, unless an earlier try has done so."""
    target = path.with_name(f"{path.name}.version-{found}")
    unfinished = target.with_name(f"{target.name}.part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection.execute("VACUUM INTO ?", (str(unfinished),))
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(target)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
