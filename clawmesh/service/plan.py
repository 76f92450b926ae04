"""What a service runs, whatever starts it."""

from __future__ import annotations

import pwd
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from clawmesh.config.location import Places
from clawmesh.errors import UsageError
from clawmesh.frozen import executable

NAME = "clawmesh"
KEYS = "clawmesh.env"
"""Beside the configuration: `NAME=value` lines that the service finds in its environment."""
STATE = Path("/var/lib/clawmesh")
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - nothing is written there


class Plan(Struct, frozen=True):
    """The command and where its things are; `user` is whose right it has, "" for one that the system invents.

    `user` counts only where `system` says that the whole machine has the service, and not one user.
    """

    command: tuple[str, ...]
    config: Path
    data: Path
    keys: Path
    system: bool = False
    user: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The whole command line."""
        return (*self.command, "--config", str(self.config), "--data", str(self.data), "serve")


def plan(places: Places, program: Sequence[str], *, system: bool, named: bool) -> Plan:
    """Return what a service of this configuration runs; `program` is what `command` returns.

    `named` says that the caller has named the data directory: then a service of the system runs as its owner.

    Raises:
        ConfigError: there is no configuration.
        UsageError: a path cannot stand in a unit, or the service's user could not read or write it.
    """
    config = places.require().absolute()
    data, user = places.data, ""
    if system:
        data, user = (data, _owner(data)) if named else (STATE, "")
        if not user:
            _require_open(config, 0o004)
            _require_open(Path(program[0]), 0o001)
    found = Plan(tuple(program), config, data, config.with_name(KEYS), system, user)
    for word in (*found.words, str(found.keys)):
        if not word.isprintable():
            raise UsageError(f"a service cannot be made of {word!r}: it holds characters that are none; rename it")
    return found


def command() -> tuple[str, ...]:
    """Return what starts this very program."""
    if getattr(sys, "frozen", False):
        return (str(executable()),)
    return (sys.executable, "-m", "clawmesh")


def environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return what of this environment the program needs to be found and to unpack itself, and holds no secret."""
    wanted = () if getattr(sys, "frozen", False) else ("PYTHONPATH",)
    return {name: environ[name] for name in ("CLAWMESH_RUNTIME_DIR", *wanted) if environ.get(name)}


def _owner(data: Path) -> str:
    """Return the user whose data directory it is: as that user the service runs."""
    try:
        return pwd.getpwuid(data.stat().st_uid).pw_name
    except FileNotFoundError as error:
        mend = "make it first, for the user that the service shall run as (install -d -m 700 -o USER DIR)"
        raise UsageError(f"the data directory {data} is not there: {mend}, or leave --data out") from error
    except KeyError as error:
        raise UsageError(f"the data directory {data} belongs to no user that has a name: chown it") from error


def _require_open(path: Path, right: int) -> None:
    """Refuse what a user that the system invents could not read or run: one without a home, with a /tmp of its own.

    Raises:
        UsageError: it says what is closed, and what to do.
    """
    mend = (
        "the configuration fits into /etc/clawmesh (it holds no secrets) and the program into /usr/local/bin; or name a"
        " data directory with --data, and the service runs as its owner"
    )
    if any(path.is_relative_to(folder) for folder in TEMPORARY):
        raise UsageError(f"the service could not see {path}, for it gets a folder of its own there: {mend}")
    for each, wanted in ((path, right), *((parent, 0o001) for parent in path.resolve().parents)):
        if not each.stat().st_mode & wanted:
            raise UsageError(f"the service's user could not use {path}, because {each} is closed to others: {mend}")
