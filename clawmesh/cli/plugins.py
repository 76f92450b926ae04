"""`clawmesh plugins`: list, make, check, trust and install plugins."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

import anyio
import msgspec

from clawmesh.agent.hooks import Hooks, Incident
from clawmesh.cli.console import Console
from clawmesh.cli.finding import show
from clawmesh.clock import SystemClock
from clawmesh.config.load import survey
from clawmesh.config.location import locate, prepare
from clawmesh.config.model import PluginSettings
from clawmesh.errors import PluginError, StorageError, UsageError
from clawmesh.plugin import check as isolated_check
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.isolation import serving
from clawmesh.plugin.loader import PluginInfo, load
from clawmesh.plugin.script import script
from clawmesh.plugin.source import Snapshot, Source, read
from clawmesh.plugin.template import fits, template, use
from clawmesh.plugin.trust import Trust


def list_(arguments: argparse.Namespace, console: Console) -> int:
    """List all plugins: where from, in what state, what they register, and what is wrong."""
    folders, settings = _folders(arguments, console)

    def report(incident: Incident) -> None:
        console.note(str(incident))

    trust = Trust.open(folders.trust)
    loaded = load(folders, trust, clock=SystemClock(), report=report, disabled=settings.disabled)
    if console.as_json:
        console.json([_fact(plugin) for plugin in loaded.plugins])
        return 0
    rows: list[tuple[str, ...]] = [
        (plugin.name, plugin.origin, plugin.state, plugin.reason or ", ".join(_offers(plugin, loaded.hooks)))
        for plugin in loaded.plugins
    ]
    console.table(rows, head=("PLUGIN", "ORIGIN", "STATE", "REGISTERS"))
    for plugin in loaded.plugins:
        if plugin.traceback:
            console.print(console.clean(f"\n{plugin.name}:\n{plugin.traceback.rstrip()}"))
    console.note(f"your plugins are read from {' and '.join(map(str, folders.user))}")
    return 0


def new(arguments: argparse.Namespace, console: Console) -> int:
    """Write a small working plugin and trust it."""
    folders, _ = _folders(arguments, console)
    prepare(folders.data)
    name = arguments.name
    if not fits(arguments.kind, name):
        wanted = re.sub(r"\W", "_", name).strip("_") or "plugin"
        wanted = wanted if fits(arguments.kind, wanted) else f"my_{wanted}"
        raise UsageError(f'"{name}" cannot name a plugin; take a Python name that is free, such as "{wanted}"')
    for other in folders.sources():
        if other.name == name:
            raise UsageError(f"there is a plugin {name} already: {other.path}")
    source = Source.at(folders.user[0] / f"{name}.py")
    snapshot = _written(source, template(arguments.kind, name))
    Trust.open(folders.trust).add(source, snapshot)
    if console.as_json:
        console.json({"name": name, "file": str(source.path), "sha256": snapshot.digest})
        return 0
    console.print(str(source.path))
    console.note(f"It works as it is; try: clawmesh plugins check {name}\nTo use it, write in the configuration:\n")
    console.note(use(arguments.kind, name))
    return 0


def check(arguments: argparse.Namespace, console: Console) -> int:
    """Load a plugin in a process of its own, show what it registers and run its examples."""
    folders, _ = _folders(arguments, console)
    source = folders.source(arguments.name)
    finding = isolated_check.check(source, folders, console.environ)
    if console.as_json:
        console.json({"name": source.name, "file": str(source.path), **msgspec.to_builtins(finding)})
    else:
        show(finding, source, console)
    if source.origin == "user" and Trust.open(folders.trust).standing(source, read(source)) != "trusted":
        console.note(f"{source.name} runs only after: clawmesh plugins trust {source.name}")
    return 0 if finding.ok else 1


def trust(arguments: argparse.Namespace, console: Console) -> int:
    """Show what a plugin file is and allow it, as it is now, to run."""
    folders, _ = _folders(arguments, console)
    prepare(folders.data)
    source = _users(folders.source(arguments.name), folders)
    snapshot = read(source)
    needs = script(source, snapshot).dependencies
    Trust.open(folders.trust).add(source, snapshot)
    if console.as_json:
        console.json({**_identity(source, snapshot), "dependencies": list(needs)})
        return 0
    console.table([(key, str(value)) for key, value in _identity(source, snapshot).items()])
    if needs:
        console.table([("needs", ", ".join(needs))])
        console.note(f"its dependencies are installed by: clawmesh plugins install {source.name}")
    console.note(f"{source.name} is trusted as it is now; once changed, it has to be trusted again")
    return 0


def untrust(arguments: argparse.Namespace, console: Console) -> int:
    """Let a plugin run no more."""
    folders, _ = _folders(arguments, console)
    prepare(folders.data)
    source = _users(folders.source(arguments.name), folders)
    Trust.open(folders.trust).remove(source)
    if console.as_json:
        console.json({"name": source.name, "file": str(source.path)})
    else:
        console.note(f"{source.name} is not trusted any more; it is not loaded at the next start")
    return 0


def install(arguments: argparse.Namespace, console: Console) -> int:
    """Install the packages that a plugin names in its `# /// script` block."""
    # Here, not above: this imports pip.
    from clawmesh.plugin.install import Site  # noqa: PLC0415

    folders, _ = _folders(arguments, console)
    prepare(folders.data)
    source = _users(folders.source(arguments.name), folders)
    needs = script(source, read(source))
    if needs.dependencies and not console.as_json:
        console.note(f"installing {', '.join(needs.dependencies)}")
    names = [other.name for other in folders.sources()]
    packages = Site(folders.site, console.environ).install(source.name, needs, names)
    if console.as_json:
        console.json({"name": source.name, "folder": str(folders.site), "packages": packages})
    elif not needs.dependencies:
        console.note(f"{source.name} names no dependencies; there is nothing to install")
    else:
        console.table([*packages.items()], head=("PACKAGE", "VERSION"))
        console.note(f"in {folders.site}")
    return 0


def isolated(arguments: argparse.Namespace, console: Console) -> int:
    """Do one piece of work for another process of this program, which speaks JSON with it."""
    with serving() as (request, answer):
        if arguments.work == "pip":
            # Here, not above: this imports pip.
            from clawmesh.plugin import pip  # noqa: PLC0415

            result: Any = pip.install(request)
        else:
            result = anyio.run(isolated_check.examine, msgspec.convert(request, isolated_check.Subject))
        answer.write(msgspec.json.encode(result).decode())
    return 0


def _folders(arguments: argparse.Namespace, console: Console) -> tuple[Folders, PluginSettings]:
    places = locate(arguments.config, arguments.data, console.environ)
    if places.config is None:
        return Folders.of(places.data), PluginSettings()
    # Whatever else is wrong with the configuration, plugins can be made, checked and trusted.
    settings = survey(places.config, console.environ)[0].plugins
    return Folders.of(places.data, places.config, settings.folder), settings


def _users(source: Source, folders: Folders) -> Source:
    if source.origin == "bundled":
        raise UsageError(f"{source.name} is part of ClawMesh: it is trusted, and has all that it needs")
    if source.path.parent not in folders.user:
        where = " or ".join(map(str, folders.user))
        raise UsageError(f"{source.path} lies in no plugins folder and is never loaded; move it to {where}")
    return source


def _written(source: Source, text: str) -> Snapshot:
    """Write a new file that nobody else can change; return it as it will be loaded."""
    folder = source.path.parent
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(source.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise StorageError(f"{source.path}: cannot be written: {error.strerror}") from error
    try:
        return read(source)
    except PluginError:
        source.path.unlink()
        raise


def _identity(source: Source, snapshot: Snapshot) -> dict[str, Any]:
    files = {"files": sorted(snapshot.files)} if source.package else {}
    return {
        "name": source.name,
        "file": str(source.path),
        "sha256": snapshot.digest,
        "bytes": snapshot.size,
        **files,
    }


def _offers(plugin: PluginInfo, hooks: Hooks) -> list[str]:
    """Return what a plugin registers, and the wrapper hooks that it defines."""
    own = [name.partition(" ")[0] for name in hooks.names if name.endswith(f" ({plugin.name})")]
    return [*map(str, plugin.registers), *own]


def _fact(plugin: PluginInfo) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "file": str(plugin.file),
        "origin": plugin.origin,
        "state": plugin.state,
        "reason": plugin.reason,
        "traceback": plugin.traceback,
        "registers": [{"kind": each.kind, "name": each.name} for each in plugin.registers],
        "seconds": round(plugin.seconds, 4),
    }
