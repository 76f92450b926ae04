"""A data directory gets another content: all of it or nothing, whenever the process that does it dies.

The new content is made ready in a folder of the directory itself, for that may be a mount point. Then a plan is put on
disk, and from that moment on whoever holds the directory next carries out what is left of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from clawmesh.config.private import replace
from clawmesh.errors import StorageError
from clawmesh.failpoint import Failpoints

STAGE = ".restore"
NEW = "new"
PLAN = "plan.json"


class Plan(Struct, frozen=True):
    """What goes into the folder `aside`, and what comes in its place: names in the data directory, and in `new`."""

    aside: str
    old: tuple[str, ...]
    new: tuple[str, ...]


def stage(data: Path) -> Path:
    """Return the empty folder where the new content is made ready, in a data directory that the caller holds.

    Raises:
        StorageError: it cannot be made.
    """
    folder = data / STAGE
    try:
        if folder.exists():
            shutil.rmtree(folder)
        (folder / NEW).mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise StorageError(f"{error.filename or folder} cannot be prepared: {error.strerror}") from error
    return folder / NEW


def give_up(data: Path) -> None:
    """Take away what was made ready and is not to come."""
    shutil.rmtree(data / STAGE, ignore_errors=True)


def put_in_place(data: Path, aside: str, old: Sequence[str], failpoints: Failpoints) -> None:
    """Set the names in `old` aside and put in their place what was made ready, which is on disk.

    Raises:
        StorageError: that cannot be done now; whoever holds the directory next goes on.
    """
    try:
        new = sorted(os.listdir(data / STAGE / NEW))
    except OSError as error:
        raise StorageError(f"{error.filename} cannot be read: {error.strerror}") from error
    failpoints.hit("restore.staged")
    replace(data / STAGE / PLAN, msgspec.json.encode(Plan(aside, tuple(old), tuple(new))))
    failpoints.hit("restore.planned")
    finish(data, failpoints)


def unfinished(data: Path) -> bool:
    """Say whether a replacement was interrupted and has to be carried out to its end."""
    return (data / STAGE / PLAN).exists()


def finish(data: Path, failpoints: Failpoints | None = None) -> None:
    """Carry out what is left of a plan, if there is one, in a data directory that the caller holds.

    Raises:
        StorageError: it cannot be read or carried out.
    """
    file = data / STAGE / PLAN
    try:
        plan = msgspec.json.decode(file.read_bytes(), type=Plan)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, msgspec.MsgspecError) as error:
        raise StorageError(f"the plan of an interrupted restore, {file}, cannot be read: {error}") from error
    try:
        _carry_out(plan, data, failpoints or Failpoints())
        file.unlink()
        sync(data / STAGE)
        shutil.rmtree(data / STAGE)
    except OSError as error:
        place = error.filename or data
        raise StorageError(
            f"the interrupted restore into {data} cannot go on at {place}: {error.strerror}; mend that and try again"
        ) from error


def _carry_out(plan: Plan, data: Path, failpoints: Failpoints) -> None:
    """Move what has not moved yet; done again, it changes nothing."""
    if plan.old:
        aside = data / plan.aside
        aside.mkdir(mode=0o700, exist_ok=True)
        for name in plan.old:
            if not os.path.lexists(aside / name) and os.path.lexists(data / name):
                (data / name).rename(aside / name)
                failpoints.hit("restore.aside")
        sync(aside)
    for name in plan.new:
        if os.path.lexists(data / STAGE / NEW / name):
            (data / STAGE / NEW / name).rename(data / name)
            failpoints.hit("restore.placed")
    sync(data)
    failpoints.hit("restore.done")


def sync(folder: Path) -> None:
    """Bring to disk which names a folder has."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
