"""Where the configuration and the data are."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from msgspec import Struct

from clawmesh.errors import ConfigError, Problem, StorageError, UsageError

JOURNAL = "journal"
"""The folder of the data directory that the journals of all workers lie in."""
NAME = "clawmesh.toml"
PROGRAM = "clawmesh"


class Places(Struct, frozen=True):
    """The configuration file in use, None where there is none, and the data directory, which may not exist yet.

    `looked` are the files which would have been taken, in their order.
    """

    config: Path | None
    data: Path
    looked: tuple[Path, ...] = ()

    def require(self) -> Path:
        """Return the configuration file.

        Raises:
            ConfigError: there is none; it names the places looked at.
        """
        if self.config is not None:
            return self.config
        looked = "".join(f"\n  {path}" for path in self.looked)
        hint = "'clawmesh init' writes one, 'clawmesh demo' needs none"
        raise ConfigError([Problem(f"there is no configuration; looked for{looked}\n{hint}")])


def locate(config: str | None, data: str | None, environ: Mapping[str, str]) -> Places:
    """Find the configuration file and the data directory.

    What the caller says comes first (`--config`, `--data`), then CLAWMESH_CONFIG and CLAWMESH_DATA, then
    `clawmesh.toml` in the current directory or the user's configuration directory, and the user's data directory.

    Raises:
        UsageError: a file is named which is not there, or nobody says where a user without a home keeps data.
    """
    folder = _named(data or environ.get("CLAWMESH_DATA")) or _own(platformdirs.user_data_path(PROGRAM))
    if folder is None:
        raise UsageError("this user has no home directory: say where data is kept with --data or CLAWMESH_DATA")
    named = _named(config or environ.get("CLAWMESH_CONFIG"))
    if named is not None:
        if not named.exists():
            who = "--config" if config else "CLAWMESH_CONFIG"
            raise UsageError(f"there is no file {named}, which {who} names")
        return Places(named, folder, (named,))
    users = _own(platformdirs.user_config_path(PROGRAM))
    looked = (Path(NAME).absolute(), *((users / NAME,) if users else ()))
    return Places(next((path for path in looked if path.exists()), None), folder, looked)


def prepare(folder: Path) -> Path:
    """Make the data directory, for this user alone, unless it is there; return it.

    Raises:
        StorageError: it cannot be made, belongs to another user, or others may write to it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise StorageError(f"the data directory {folder} cannot be made: {error.strerror}") from error
    if os.geteuid() not in (0, status.st_uid):
        raise StorageError(f"the data directory {folder} belongs to another user (uid {status.st_uid})")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise StorageError(f"the data directory {folder} may be written by other users: chmod 700 it")
    return folder


def _named(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _own(path: Path) -> Path | None:
    # A user without a home, as containers have them, gets a path that still begins with "~".
    return path if path.is_absolute() else None
