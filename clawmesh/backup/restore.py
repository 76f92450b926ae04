"""Bring back what a backup holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from clawmesh.backup.manifest import ASIDE, DATABASE, RESERVED, Manifest
from clawmesh.backup.reader import Backup, opened
from clawmesh.clock import Clock
from clawmesh.cluster.hold import hold
from clawmesh.cluster.replacement import give_up, put_in_place, stage
from clawmesh.config.location import JOURNAL
from clawmesh.errors import StorageError, UsageError
from clawmesh.failpoint import Failpoints
from clawmesh.journal import schema
from clawmesh.journal.copy import looked_through

LOST = "lost+found"
VERB = "restore"


class Restored(Struct, frozen=True):
    """What was restored, and the folder where what was there before is kept, if there was anything."""

    manifest: Manifest
    aside: Path | None


def restore(
    file: Path,
    data: Path,
    clock: Clock,
    tell: Callable[[str, float], None],
    *,
    force: bool = False,
    failpoints: Failpoints | None = None,
) -> Restored:
    """Put what a backup holds into a data directory; with `force` also into one that holds something, which is kept.

    Nothing is put in place before all of it is on disk and looked through. A process that dies on the way leaves the
    old content, or a plan that whoever holds the directory next carries out.

    Raises:
        UsageError: there is something in the directory.
        HeldError: a process holds it.
        StorageError: the backup is damaged or of a newer ClawMesh, or the directory cannot be written.
    """
    with opened(file) as backup, hold(data, VERB):
        old = _occupants(data)
        if old and not force:
            shown = ", ".join(old[:5]) + (", …" if len(old) > 5 else "")
            raise UsageError(f"the data directory {data} holds something ({shown}); --force keeps that aside")
        aside = _free(data, clock)
        try:
            _make_ready(backup, stage(data), tell)
        except BaseException:
            give_up(data)
            raise
        put_in_place(data, aside.name, old, failpoints or Failpoints())
    return Restored(backup.manifest, aside if old else None)


def _occupants(data: Path) -> Sequence[str]:
    """Return the names of what would be in the way: not that of the lock, nor what an earlier restore has kept."""
    try:
        names = sorted(os.listdir(data))
    except OSError as error:
        raise StorageError(f"{data} cannot be read: {error.strerror}") from error
    return [name for name in names if name not in (*RESERVED, LOST) and not name.startswith(ASIDE)]


def _free(data: Path, clock: Clock) -> Path:
    """Return a path that is free, with the time in its name."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock.now()))
    path = data / f"{ASIDE}{moment}"
    number = 1
    while os.path.lexists(path):
        number += 1
        path = data / f"{ASIDE}{moment}-{number}"
    return path


def _make_ready(backup: Backup, new: Path, tell: Callable[[str, float], None]) -> None:
    backup.unpack(new, lambda share: tell("unpacking", share))
    databases = [item.name for item in backup.manifest.items if item.name.endswith(DATABASE)]
    for number, name in enumerate(databases):
        tell(f"looking through {name}", number / len(databases))
        with looked_through(new / name) as connection:
            if name.startswith(f"{JOURNAL}/"):
                schema.version(connection, name)
