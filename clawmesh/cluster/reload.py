"""A changed configuration comes into force in every worker, or in none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
from msgspec import Struct, structs

from clawmesh.cluster.node import Node
from clawmesh.config.load import parse
from clawmesh.config.model import Config
from clawmesh.config.private import read_private, replace
from clawmesh.config.rendering import to_toml
from clawmesh.errors import JointError, StorageError
from clawmesh.plugin.folder import Folders

LOOK_SECONDS = 1.0
DROPPED = "agents.d"
IN_FORCE = "run/in-force.toml"

Print: TypeAlias = tuple[tuple[str, int, int], ...]


class Reloaded(Struct, frozen=True):
    """What came of it: the number of the configuration in force, and the tables that wait for a restart."""

    version: int
    late: tuple[str, ...] = ()


class Reload:
    """Replaces the configuration of a mesh; lives in its first worker.

    `seen` is how the files looked when they were read; `say` hears of what is new, `warn` of what is wrong.
    """

    def __init__(self, node: Node, seen: Print, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._node = node
        self._seen = seen
        self._say = say
        self._warn = warn
        node.offer("reload", self._reload)
        self._one = anyio.Lock()
        self._asked = anyio.Event()

    async def run(self) -> Reloaded:
        """Read the configuration again; where it is wrong, the old one stays in force.

        Raises:
            ConfigError: it is wrong.
            JointError: a worker cannot be reached at present.
        """
        async with self._one:
            workers = range(self._node.workers)
            late = [await self._node.query("prepare", worker) for worker in workers]
            versions = [await self._node.query("adopt", worker) for worker in workers]
            app = self._node.app
            await anyio.to_thread.run_sync(keep, app.config, app.places.data)
        reloaded = Reloaded(max(versions), tuple(late[0]))
        waits = f"; for {', '.join(reloaded.late)} start it again" if reloaded.late else ""
        self._say(f"the configuration was read again and is in force{waits}")
        return reloaded

    async def _reload(self) -> dict[str, Any]:
        reloaded = await self.run()
        return {"version": reloaded.version, "late": list(reloaded.late)}

    def ask(self) -> None:
        """Let it be read again soon."""
        self._asked.set()

    async def follow(self) -> None:
        """Again and again, read it when somebody asks, or when its files have changed and then rested for a moment."""
        while True:
            with anyio.move_on_after(LOOK_SECONDS):
                await self._asked.wait()
            asked, self._asked = self._asked.is_set(), anyio.Event()
            found = await self._print()
            if not asked and (found == self._seen or found != await self._rested()):
                continue
            self._seen = found
            try:
                await self.run()
            except JointError:
                # A worker is being started, or replaced; it is asked again when it is there.
                self._asked.set()
                await anyio.sleep(LOOK_SECONDS / 4)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a file, the mesh goes on
                self._warn(f"the configuration has changed and cannot be used; the old one stays in force:\n{error}")

    async def _rested(self) -> Print:
        """Return how the files look a moment later: one that is being written is not read."""
        await anyio.sleep(LOOK_SECONDS / 4)
        return await self._print()

    async def _print(self) -> Print:
        app = self._node.app
        return await anyio.to_thread.run_sync(fingerprint, app.config, app.places.data)


def keep(config: Config, data: Path) -> None:
    """Keep the configuration in force for workers that are started later: its files may be changed, or half written.

    Secrets are not in it, only where they are.

    Raises:
        StorageError: it cannot be written.
    """
    replace(data / IN_FORCE, to_toml(config).encode())


def kept(config: Config, data: Path, environ: Mapping[str, str]) -> Config:
    """Return the configuration that took the place of this one, or this one if none has.

    Raises:
        StorageError: what was kept cannot be read, or others could have written it.
    """
    content = read_private(data / IN_FORCE)
    if content is None:
        return config
    newer = parse(content.decode(), environ, config.path or Path("clawmesh.toml"))
    return structs.replace(newer, path=config.path, files=config.files)


def forget(data: Path) -> None:
    """Keep nothing that an earlier service had in force; raises StorageError where it cannot be removed."""
    try:
        (data / IN_FORCE).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{data / IN_FORCE} cannot be removed: {error.strerror}") from error


def fingerprint(config: Config, data: Path) -> Print:
    """Return what tells whether any file has changed that a configuration was read from, or could be."""
    return tuple((str(path), *_stamp(path)) for path in _files(config, data))


def _files(config: Config, data: Path) -> Iterator[Path]:
    yield from config.files
    if config.path is not None:
        yield config.path
        yield config.path.parent / DROPPED
    yield Folders.of(data, config.path, config.plugins.folder).trust


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
