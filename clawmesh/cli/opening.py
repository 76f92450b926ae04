"""From what the command line says to a mesh that runs."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawmesh.app import App, open_app
from clawmesh.cli.console import Console
from clawmesh.config.load import load
from clawmesh.config.location import locate
from clawmesh.config.model import Config


def configured(arguments: argparse.Namespace, console: Console) -> Config:
    """Read the configuration that the arguments or the environment name."""
    places = locate(arguments.config, arguments.data, console.environ)
    return load(places.require(), console.environ)


@asynccontextmanager
async def opened(arguments: argparse.Namespace, console: Console) -> AsyncIterator[App]:
    """Open the mesh of that configuration in this process."""
    places = locate(arguments.config, arguments.data, console.environ)
    async with open_app(load(places.require(), console.environ), places, console.environ, console.error) as app:
        yield app
