"""What is measured: a mesh from a configuration, as a person would run it, in a folder that goes when it is done."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import anyio

from clawmesh.app import App, open_app
from clawmesh.bench.child import undisturbed
from clawmesh.bench.plugin import NAME, PLUGIN
from clawmesh.config.load import parse
from clawmesh.config.location import Places
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.source import Source, read
from clawmesh.plugin.trust import Trust
from clawmesh.runtime import loop_options, settle, tune

T = TypeVar("T")


@contextmanager
def temporary() -> Iterator[Path]:
    """Yield an empty folder that goes with the block, however the command ends."""
    with ExitStack() as stack:
        with undisturbed():
            path = stack.enter_context(tempfile.TemporaryDirectory(prefix="clawmesh-bench-"))
        yield Path(path)


@contextmanager
def folder() -> Iterator[Places]:
    """Yield an empty data directory with the agents and tools of the bench, trusted, beside it."""
    with temporary() as path:
        places = Places(None, path)
        file = places.data / "plugins" / f"{NAME}.py"
        file.parent.mkdir(mode=0o700)
        file.write_text(PLUGIN, encoding="utf-8")
        file.chmod(0o600)
        source = Source.at(file)
        Trust.open(Folders.of(places.data).trust).add(source, read(source))
        yield places


@asynccontextmanager
async def opened(config: str, places: Places) -> AsyncIterator[App]:
    """Open the mesh that a TOML text describes."""

    def warn(text: str) -> None:
        """Say nothing: what fails is counted, and ten thousand lines would only cost time."""

    async with open_app(parse(config, {}), places, {}, warn) as app:
        settle()
        yield app


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine as the product's own processes run theirs."""
    tune()
    return anyio.run(main, backend_options=loop_options())
