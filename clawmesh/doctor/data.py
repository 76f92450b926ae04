"""A look at the data directory: whose it is, what its disk has left, whether its journals are sound."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import apsw

from clawmesh.cluster.replacement import STAGE, unfinished
from clawmesh.config.private import read_private
from clawmesh.doctor.finding import Finding, fail, ok, warn
from clawmesh.errors import ClawmeshError, StorageError
from clawmesh.journal import schema
from clawmesh.journal.connection import connect_alone, connect_viewing, explain
from clawmesh.journal.lock import CLOSED, WRITTEN
from clawmesh.journal.soundness import require_sound

MIB = 1 << 20
FREE_LEAST, FREE_ENOUGH = 100 * MIB, 1024 * MIB
FILES_LEAST = 1_000
LOG_MOST = 128 * MIB
"""Several times what the log grows to before it begins anew."""
LOOK_SECONDS = 0.3
MOUNTS = Path("/proc/self/mountinfo")
DISTANT = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs")


def directory(data: Path, mounts: Path = MOUNTS) -> Iterator[Finding]:
    """Look at the data directory itself and at the disk under it."""
    name = "data directory"
    try:
        status = data.stat()
    except FileNotFoundError:
        yield from _to_be_made(data)
        return
    except OSError as error:
        yield fail(name, f"{data} cannot be looked at: {error.strerror}", "name another with --data or CLAWMESH_DATA")
        return
    faults = [*_rights(data, status)]
    yield from faults or [ok(name, f"{data} belongs to this user alone")]
    yield from disk(data)
    if (kind := file_system(data, mounts)) in DISTANT:
        mend = "keep the data on a disk of this machine: SQLite needs shared memory and locks that hold"
        yield warn("disk", f"{data} lies on a network file system ({kind})", mend)
    if unfinished(data):
        mend = "the next command that opens the mesh, or 'clawmesh restore', finishes it"
        yield fail(name, f"a restore was interrupted: {data / STAGE}", mend)


def _to_be_made(data: Path) -> Iterator[Finding]:
    name = "data directory"
    parent = next(folder for folder in data.parents if folder.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        yield ok(name, f"{data} is not there yet; the first start makes it")
    else:
        mend = "make it, or name another with --data or CLAWMESH_DATA"
        yield fail(name, f"{data} is not there, and {parent} may not be written", mend)


def _rights(data: Path, status: os.stat_result) -> Iterator[Finding]:
    name = "data directory"
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        yield fail(name, f"{data} is no directory", "move it away, or name another with --data or CLAWMESH_DATA")
        return
    if os.geteuid() not in (0, status.st_uid):
        mend = f"run as that user, or: chown -R {os.geteuid()} {data}"
        yield fail(name, f"{data} belongs to another user (uid {status.st_uid})", mend)
    if mode & 0o022:
        yield fail(name, f"{data} may be written by others (mode {mode:04o})", f"chmod 700 {data}")
    elif mode & 0o077:
        yield warn(name, f"{data} may be read by others (mode {mode:04o})", f"chmod 700 {data}")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield fail(name, f"{data} cannot be written by this user", "give it back its rights, or mount it for writing")


def disk(data: Path) -> Iterator[Finding]:
    """Look at what the disk under a directory has left."""
    found = os.statvfs(data)
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        yield fail(
            "disk", f"{data} is mounted read-only", "mount it for writing; after an error of the disk, check that"
        )
    elif free < FREE_LEAST:
        yield fail("disk", f"{free // MIB:,} MB are free under {data}", "make room: without it nothing is taken in")
    elif free < FREE_ENOUGH:
        yield warn("disk", f"{free // MIB:,} MB are free under {data}", "make room, or lower [journal] keep")
    elif found.f_files and found.f_favail < FILES_LEAST:
        yield fail(
            "disk", f"the disk under {data} takes {found.f_favail:,} files more", "remove files that nobody needs"
        )
    else:
        yield ok("disk", f"{free / MIB / 1024:,.1f} GB are free")


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that a path is on, "" where the system does not tell."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    path, longest, kind = path.resolve(), -1, ""
    for fields in map(str.split, lines):
        # See proc(5): blanks within a path are written as \040.
        place = Path(fields[4].replace("\\040", " "))
        if path.is_relative_to(place) and len(place.parts) >= longest:
            longest, kind = len(place.parts), fields[fields.index("-") + 1]
    return kind


def journals(data: Path, *, held: bool) -> Iterator[Finding]:
    """Look through the journals, for a short time; `held` says that a process has them open."""
    folder = data / "journal"
    try:
        names = {
            path.name.removesuffix(".lock") for path in folder.iterdir() if path.name.endswith((".db", ".db.lock"))
        }
    except FileNotFoundError:
        names = set()
    except OSError as error:
        yield fail("journal", f"{folder} cannot be read: {error.strerror}", "give this user the right to read it")
        return
    # By the locks too: they tell of journals that are gone.
    paths = [folder / name for name in sorted(names) if (folder / name).exists() or _said(folder / name)]
    if not paths:
        yield ok("journal", "there is none yet")
    end = monotonic() + LOOK_SECONDS
    for number, path in enumerate(paths):
        left = max(0.0, end - monotonic()) / (len(paths) - number)
        yield from _journal(path, left, held=held)


RESTORE = "restore a backup (clawmesh restore FILE --force keeps what is there aside)"


def _journal(path: Path, seconds: float, *, held: bool) -> Iterator[Finding]:
    said = _said(path)
    if said and not (path.exists() and path.stat().st_size):
        what = "is empty" if path.exists() else "is gone"
        mend = f"put it back, or restore a backup, or remove {path.name}.lock to begin anew"
        yield fail("journal", f"{path} {what}, and with it all that was written to it", mend)
        return
    log = path.with_name(f"{path.name}-wal")
    logged = log.stat().st_size if log.exists() else 0
    unclean = not held and WRITTEN in said
    if unclean and not log.exists():
        yield fail(
            "journal",
            f"{path} was not closed in good order, and its log {log.name} is gone",
            f"put it back, or remove {path.name}.lock to go on without what was in it",
        )
        return
    try:
        # Only with a log beside it something may have to be made there.
        connecting = connect_viewing(path) if log.exists() else connect_alone(path)
        with closing(connecting) as connection:
            version = schema.version(connection, str(path))
            whole = require_sound(connection, seconds)
    except apsw.Error as error:
        yield fail("journal", explain(error, str(path)), RESTORE)
        return
    except StorageError as error:
        yield fail("journal", str(error), RESTORE)
        return
    if logged > LOG_MOST:
        mend = "some process reads from it without end, or the disk is slow: end a backup that hangs, or start again"
        yield warn("journal", f"the log {log} has grown to {logged // MIB:,} MB", mend)
    if unclean:
        mend = "nothing: the next start looks through it, and goes on"
        yield warn("journal", f"{path} was not closed in good order: its last process was killed", mend)
    size = (path.stat().st_size + logged) / MIB
    looked = "sound" if whole else "sound as far as there was time to look"
    older = "" if version in (0, len(schema.STEPS)) else "; of an older version, which the next start renews"
    yield ok("journal", f"{path} is {looked}, {size:,.1f} MB{older}")


def _said(path: Path) -> bytes:
    """Return what the lock of a journal says of what was written to it, nothing where nothing ever was."""
    try:
        said = path.with_name(f"{path.name}.lock").read_bytes()[:100]
    except OSError:
        return b""
    return said if WRITTEN in said or CLOSED in said else b""


def private(data: Path) -> Iterator[Finding]:
    """Look whether files that only their owner may write are such."""
    for name in ("trust.toml", "tokens.json"):
        try:
            read_private(data / name)
        except ClawmeshError as error:
            yield fail("data directory", str(error), "look at what is in it before you take back the right to write")
