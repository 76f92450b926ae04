"""From what the command line says to a mesh that runs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from clawmesh.app import load_plugins
from clawmesh.cli.console import Console
from clawmesh.cluster.access import Access, open_access
from clawmesh.cluster.node import Node, Place, open_node
from clawmesh.config import check
from clawmesh.config.load import ordered, survey
from clawmesh.config.location import Places, locate
from clawmesh.config.model import Config
from clawmesh.errors import ConfigError, Problem


def configured(arguments: argparse.Namespace, console: Console) -> Config:
    """Read the configuration that the arguments or the environment name."""
    return read(locate(arguments.config, arguments.data, console.environ), console)


def read(places: Places, console: Console) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: every problem, also those that the plugins would have found later.
    """
    config, problems = survey(places.require(), console.environ)
    if problems:
        raise ConfigError(compare(config, problems, places, console)[0])
    return config


def compare(
    config: Config, problems: Sequence[Problem], places: Places, console: Console
) -> tuple[list[Problem], Sequence[str]]:
    """Hold a configuration against what the plugins offer; return all its problems with those given, and warnings."""
    loaded = load_plugins(config, places, console.error)
    unfit, warnings = check.survey(config, loaded.catalogue, console.environ)
    return ordered([*problems, *unfit], config.files), warnings


def opened(arguments: argparse.Namespace, console: Console) -> AbstractAsyncContextManager[Access]:
    """Give access to the mesh: to the process that has it, else to that of the configuration, opened here."""
    places = locate(arguments.config, arguments.data, console.environ)

    def here(place: Place) -> AbstractAsyncContextManager[Node]:
        return open_node(read(places, console), places, console.environ, console.error, place)

    return open_access(places.data, arguments.verb, here, console.error)


async def compared(access: Access, session: str, arguments: argparse.Namespace, console: Console) -> None:
    """Say so where the process that has the session runs with another configuration than the one of this command."""
    places = locate(arguments.config, arguments.data, console.environ)
    theirs = (await access.status(session))["config"]
    if places.config is not None and theirs and theirs != str(places.config):
        console.note(f"clawmesh: the mesh in {places.data} runs with {theirs}, not with {places.config}")
