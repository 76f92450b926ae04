"""What a backup says of itself, and the names that its files may have."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from clawmesh.cluster.hold import LOCK, SOCKETS
from clawmesh.cluster.replacement import STAGE
from clawmesh.errors import StorageError

FORMAT = 1
"""Grows when an older ClawMesh can no longer restore what a newer one writes."""
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
CONFIGURATION, OUTSIDE = "configuration", "outside"
ASIDE = "replaced-"
"""Begins the name of the folder that keeps what was there before a restore."""
RESERVED = (LOCK, SOCKETS, STAGE)
DATABASE = ".db"


class Item(Struct, frozen=True):
    """One file: its name in the data directory that it is restored to, and where it was."""

    name: str
    size: int
    sha256: str
    origin: str


class Manifest(Struct, frozen=True):
    """What is in a backup.

    `format` is that of the backup, `schema` the newest version of the journal's tables that the program which made it
    knew; `created` is in seconds since 1970, `config` the name of the main configuration file among the items.
    """

    format: int
    version: str
    schema: int
    created: float
    data: str
    config: str
    items: tuple[Item, ...]

    @property
    def size(self) -> int:
        return sum(item.size for item in self.items)


class _Head(Struct, frozen=True):
    format: int
    version: str = "unknown"


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def seal(content: bytes) -> bytes:
    """Return the line by which a manifest is known to be whole, in the words of `sha256sum --check`."""
    return f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode()


def decode(content: bytes, file: Path) -> Manifest:
    """Read a manifest; `file` is the backup, for the errors.

    Raises:
        StorageError: a newer ClawMesh made it, or it names what no backup holds.
    """
    try:
        head = msgspec.json.decode(content, type=_Head)
        if head.format > FORMAT:
            raise StorageError(
                f"ClawMesh {head.version} made the backup {file} (its format is {head.format}, this program knows"
                f" {FORMAT}): restore it with that version or a newer one"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{file} is no backup of ClawMesh: its manifest cannot be read: {error}") from error
    names = [item.name for item in manifest.items]
    for name in names:
        parts = PurePosixPath(name).parts
        if "\0" in name or not parts or parts[0] in ("/", *RESERVED) or ".." in parts or str(Path(*parts)) != name:
            raise StorageError(f'the backup {file} holds a file "{name}", which has no place in a data directory')
    if len(set(names)) < len(names):
        raise StorageError(f"the backup {file} holds a file twice")
    return manifest
