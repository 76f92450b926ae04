"""`clawmesh config`: check, show and describe the configuration."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from clawmesh.app import Seat, load_plugins, open_app
from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.cli.opening import compare
from clawmesh.cli.phrase import count
from clawmesh.config import load, rendering
from clawmesh.config import schema as editor
from clawmesh.config.location import Places, locate
from clawmesh.config.model import Config
from clawmesh.errors import ConfigError, Problem

SHOWN = 100


def check(arguments: argparse.Namespace, console: Console) -> int:
    """Check the whole configuration, also against what the plugins offer, and print every problem."""
    places = _places(arguments, console)
    config, problems = load.survey(places.require(), console.environ)
    problems, warnings = compare(config, problems, places, console)
    problems = problems or _opening(config, places, console)
    if console.as_json:
        _check_json(config, problems, warnings, console)
    elif problems:
        more = [f"and {len(problems) - SHOWN:,} more; --json shows all"] if len(problems) > SHOWN else []
        console.note("\n".join([*map(str, problems[:SHOWN]), *more]))
        console.error(f"{count(len(problems), 'problem')} in {places.require()}")
    else:
        console.print(f"ok: {_summary(config)}")
    for warning in warnings:
        console.note(f"warning: {warning}")
    return 2 if problems else 0


def _opening(config: Config, places: Places, console: Console) -> list[Problem]:
    """Open the mesh and close it again: what a plugin finds wrong with its arguments shows only then."""

    def known(text: str) -> None:
        """Say nothing: what plugins are wrong has been said before."""

    async def main() -> None:
        async with open_app(config, places, console.environ, known, Seat(journals=())):
            pass

    try:
        run(main)
    except ConfigError as error:
        return list(error.problems)
    return []


def show(arguments: argparse.Namespace, console: Console) -> int:
    """Print the configuration in force; secrets stay references."""
    config = load.load(_places(arguments, console).require(), console.environ)
    if console.as_json:
        console.json(rendering.plain(config))
    else:
        console.print(rendering.to_toml(config).rstrip("\n"))
    return 0


def schema(arguments: argparse.Namespace, console: Console) -> int:
    """Print the JSON Schema of the configuration, with what the plugins of this configuration offer."""
    places = _places(arguments, console)
    config = Config() if places.config is None else load.survey(places.config, console.environ)[0]
    loaded = load_plugins(config, places, console.error)
    console.print(json.dumps(editor.schema(loaded.catalogue), indent=2, ensure_ascii=False))
    return 0


def path(arguments: argparse.Namespace, console: Console) -> int:
    """Print which file is used, and where the data is kept."""
    places = _places(arguments, console)
    if console.as_json:
        looked = [str(file) for file in places.looked]
        console.json({"config": places.config and str(places.config), "data": str(places.data), "looked": looked})
    else:
        console.print(str(places.require()))
    return 0


def _places(arguments: argparse.Namespace, console: Console) -> Places:
    return locate(arguments.config, arguments.data, console.environ)


def _check_json(config: Config, problems: list[Problem], warnings: Sequence[str], console: Console) -> None:
    console.json(
        {
            "ok": not problems,
            "files": [str(file) for file in config.files],
            "problems": [_plain(problem) for problem in problems],
            "warnings": list(warnings),
        }
    )


def _plain(problem: Problem) -> dict[str, str | int]:
    return {
        "file": problem.file,
        "line": problem.line,
        "table": problem.table,
        "key": problem.key,
        "message": problem.message,
    }


def _summary(config: Config) -> str:
    counts = [
        count(len(config.agents), "agent"),
        count(len(config.backends), "backend"),
        *([count(len(config.tools), "tool")] if config.tools else []),
        *([count(len(config.memories), "memory", "memories")] if config.memories else []),
    ]
    return f"{', '.join(counts)}, in {count(len(config.files), 'file')}"
