"""`clawmesh bench`: what this machine can carry."""

from __future__ import annotations

import argparse

from msgspec import to_builtins

from clawmesh.bench import backends, http, mesh
from clawmesh.bench.suite import Machine, Result, rows
from clawmesh.cli.bar import Bar
from clawmesh.cli.console import Console

# The share of all cores that others may use before their work shows in the figures.
BUSY = 0.25
HEAD = ("FIGURE", "VALUE", "GOAL", "", "BESIDE")


def bench(arguments: argparse.Namespace, console: Console) -> int:
    """Run a suite; 1 if a figure misses its goal."""
    machine = Machine()
    if machine.load > BUSY * machine.cores:
        console.note(f"this machine is busy (load {machine.load:g}): it can do better than this", "yellow")
    with Bar(console, "measuring") as bar:
        if arguments.suite == mesh.NAME:
            checks = mesh.run(arguments.sessions, bar.show)
        elif arguments.suite == http.NAME:
            checks = http.run(arguments.clients, bar.show)
        else:
            checks = backends.run(arguments.streams, bar.show)
    result = Result(arguments.suite, machine, checks)
    if console.as_json:
        console.json(to_builtins(result))
    else:
        console.table(rows(result), head=HEAD)
    return 0 if result.ok else 1
