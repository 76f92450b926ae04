"""`clawmesh service`: let the system start the mesh, and start it again."""

from __future__ import annotations

import argparse
import sys

from clawmesh.cli.console import Console
from clawmesh.config.location import locate
from clawmesh.service.control import Control, control
from clawmesh.service.plan import command, plan


def install(arguments: argparse.Namespace, console: Console) -> int:
    """Write what starts the mesh, and start it; or only print that."""
    places = locate(arguments.config, arguments.data, console.environ)
    named = bool(arguments.data or console.environ.get("CLAWMESH_DATA"))
    planned = plan(places, command(), system=arguments.system, named=named)
    here = _control(arguments, console)
    if arguments.print_unit:
        if console.as_json:
            console.json({"file": str(here.file), "text": here.text(planned)})
        else:
            console.print(here.text(planned).rstrip("\n"))
        return 0
    notes = here.install(planned)
    if console.as_json:
        console.json({"file": str(here.file), "command": list(planned.words), "data": str(planned.data)})
        return 0
    console.print(f"{here.file} runs the mesh of {planned.config} on {planned.data}")
    for note in notes:
        console.note(note)
    return 0


def uninstall(arguments: argparse.Namespace, console: Console) -> int:
    """Stop the mesh and remove what starts it; its data stays."""
    here = _control(arguments, console)
    here.uninstall()
    if console.as_json:
        console.json({"removed": str(here.file)})
    else:
        console.print(f"{here.file} is removed; the data and the configuration stay")
    return 0


def status(arguments: argparse.Namespace, console: Console) -> int:
    """Say whether it is installed and runs; returns 1 where it does not run."""
    state = _control(arguments, console).state()
    if console.as_json:
        facts = {"installed": state.installed, "active": state.active, "state": state.text, "pid": state.pid}
        console.json({"file": str(state.file), **facts})
    elif not state.installed:
        console.print(f"it is not installed: there is no {state.file}")
    else:
        console.print(f"{state.text}{f', process {state.pid}' if state.pid else ''} ({state.file})")
    return 0 if state.active else 1


def _control(arguments: argparse.Namespace, console: Console) -> Control:
    return control(console.environ, sys.platform, system=arguments.system)
