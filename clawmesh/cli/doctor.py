"""`clawmesh doctor`: what is wrong here, and how it is mended."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import to_builtins

from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.cli.phrase import count
from clawmesh.config.location import Places, locate
from clawmesh.doctor import machine
from clawmesh.doctor.data import directory, journals, private
from clawmesh.doctor.finding import Finding, fail
from clawmesh.doctor.holding import held, holding
from clawmesh.doctor.program import program
from clawmesh.doctor.setup import setup
from clawmesh.errors import UsageError

STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(arguments: argparse.Namespace, console: Console) -> int:
    """Look at everything, change nothing, and say what was found; returns 1 if anything fails."""
    # Before the event loop starts: that raises the limit which is looked at.
    files = machine.descriptors()
    found = [*run(lambda: _look(arguments, console.environ)), files]
    failed = sum(finding.status == "fail" for finding in found)
    if console.as_json:
        console.json({"ok": not failed, "findings": to_builtins(found)})
        return 1 if failed else 0
    for finding in found:
        _show(finding, console)
    warned = sum(finding.status == "warn" for finding in found)
    console.print()
    if failed:
        console.print(f"{count(failed, 'thing')} to mend, {count(warned, 'warning')}")
    else:
        console.print(f"nothing fails; {count(warned, 'warning')}" if warned else "all is well")
    return 1 if failed else 0


async def _look(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Sequence[Finding]:
    found: list[Finding] = []
    places: Places | None
    try:
        places = locate(arguments.config, arguments.data, environ)
    except UsageError as error:
        found.append(fail("configuration", str(error), "name a file that is there with --config or CLAWMESH_CONFIG"))
        places = _without_configuration(arguments, environ)
    if places is not None and not found:
        found += await setup(places, environ)
    if places is not None:
        data = places.data
        found += directory(data)
        if data.is_dir():
            found += private(data)
            found += journals(data, held=held(data))
            found += await holding(data)
    found += [*program(), machine.room(), *machine.clock(places.data if places else Path())]
    found += [*machine.system(), machine.sandbox(), *machine.user()]
    return found


def _without_configuration(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Places | None:
    """Return where the data is, although the configuration that was named is not there."""
    try:
        data = locate(None, arguments.data, {**environ, "CLAWMESH_CONFIG": ""}).data
    except UsageError:
        return None
    return Places(None, data)


def _show(finding: Finding, console: Console) -> None:
    status = console.style(f"{finding.status:<4}", STYLES[finding.status])
    console.print(f"{status}  {finding.check}: {console.clean(finding.text)}")
    if finding.mend:
        console.print(f"      {console.style(console.clean(finding.mend), 'dim')}")
