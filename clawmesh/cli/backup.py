"""`clawmesh backup` and `clawmesh restore`."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from clawmesh.backup.manifest import DATABASE, Manifest
from clawmesh.backup.restore import Restored
from clawmesh.backup.restore import restore as bring_back
from clawmesh.backup.writer import write
from clawmesh.cli.bar import Bar
from clawmesh.cli.console import Console
from clawmesh.cli.phrase import count, moment, size
from clawmesh.clock import SystemClock
from clawmesh.config.location import locate
from clawmesh.failpoint import VARIABLE, planned


def backup(arguments: argparse.Namespace, console: Console) -> int:
    """Write a backup, whether a mesh runs on the data directory or not."""
    places = locate(arguments.config, arguments.data, console.environ)
    file = Path(arguments.file).absolute()
    with _Progress(console, "backing up") as progress:
        manifest = write(file, places, console.environ, SystemClock(), progress.show, console.error)
    written = file.stat().st_size
    if console.as_json:
        console.json({"file": str(file), "bytes": written, **_facts(manifest)})
        return 0
    console.print(f"{file} holds {_summary(manifest)}; it is {size(written)}, and was read back")
    console.note("keys and other secrets are not in it, only where the configuration finds them")
    return 0


def restore(arguments: argparse.Namespace, console: Console) -> int:
    """Bring back what a backup holds, once all of it has been found sound."""
    data = locate(None, arguments.data, {**console.environ, "CLAWMESH_CONFIG": ""}).data
    failpoints = planned(console.environ.get(VARIABLE, ""))
    with _Progress(console, "restoring") as progress:
        done = bring_back(
            Path(arguments.file), data, SystemClock(), progress.show, force=arguments.force, failpoints=failpoints
        )
    if console.as_json:
        aside = str(done.aside) if done.aside else None
        console.json({"data": str(data), "aside": aside, **_facts(done.manifest)})
        return 0
    _tell(done, data, console)
    return 0


def _tell(done: Restored, data: Path, console: Console) -> None:
    manifest = done.manifest
    console.print(f"{data} is as {manifest.data} was at {moment(manifest.created)}: {_summary(manifest)}")
    if done.aside is not None:
        console.note(f"what was there before is in {done.aside}; remove it when nothing of it is missed")
    if manifest.config:
        config = data / manifest.config
        console.note(
            f"its configuration is {config}; to run with it: clawmesh --config {shlex.quote(str(config))} serve"
        )
    if any(item.name.endswith(".py") for item in manifest.items):
        console.note("plugins that lie elsewhere than they did have to be trusted again: clawmesh plugins list")


class _Progress(Bar):
    """Draws only where somebody watches: a script's log needs no line for each share."""

    def __init__(self, console: Console, verb: str) -> None:
        super().__init__(console, verb)
        self._watched = console.attended and not console.as_json

    def show(self, what: str, share: float) -> None:
        if self._watched:
            super().show(what, share)


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "version": manifest.version,
        "created": manifest.created,
        "databases": [item.name for item in manifest.items if item.name.endswith(DATABASE)],
        "files": [item.name for item in manifest.items if not item.name.endswith(DATABASE)],
        "config": manifest.config or None,
    }


def _summary(manifest: Manifest) -> str:
    databases = sum(item.name.endswith(DATABASE) for item in manifest.items)
    return f"{count(databases, 'database')} and {count(len(manifest.items) - databases, 'file')}"
