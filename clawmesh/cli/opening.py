"""From what the command line says to a mesh that runs."""

from __future__ import annotations

import argparse
from contextlib import AbstractAsyncContextManager

from clawmesh.cli.console import Console
from clawmesh.cluster.access import Access, open_access
from clawmesh.cluster.node import Node, Place, open_node
from clawmesh.config.load import load
from clawmesh.config.location import locate
from clawmesh.config.model import Config


def configured(arguments: argparse.Namespace, console: Console) -> Config:
    """Read the configuration that the arguments or the environment name."""
    places = locate(arguments.config, arguments.data, console.environ)
    return load(places.require(), console.environ)


def opened(arguments: argparse.Namespace, console: Console) -> AbstractAsyncContextManager[Access]:
    """Give access to the mesh: to the process that has it, else to that of the configuration, opened here."""
    places = locate(arguments.config, arguments.data, console.environ)

    def here(place: Place) -> AbstractAsyncContextManager[Node]:
        return open_node(load(places.require(), console.environ), places, console.environ, console.error, place)

    return open_access(places.data, arguments.verb, here, console.error)
