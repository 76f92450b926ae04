"""From what the command line says to a mesh that runs."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from clawmesh.app import App, open_app
from clawmesh.cli.console import Console
from clawmesh.config.load import load
from clawmesh.config.location import locate
from clawmesh.config.model import Config

DRAIN_SECONDS = 30.0


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
        # What an agent has sent to others is to reach its outcome, too.
        with anyio.move_on_after(DRAIN_SECONDS):
            await app.engine.drained()
        if app.engine.under_way:
            console.error(f"{app.engine.under_way} messages between agents were not done yet and are dropped")
