"""What belongs into a backup of a data directory, and under which names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from clawmesh.backup.manifest import ASIDE, CONFIGURATION, DATABASE, OUTSIDE
from clawmesh.config.load import survey
from clawmesh.config.location import Places
from clawmesh.errors import PluginError, StorageError
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.source import read

KEPT = ("trust.toml", "tokens.json")
"""Files of the data directory besides its databases: what is trusted, and the hashes of tokens, never the tokens."""
DIVIDED = "journal/workers"
"""Says among how many journals the sessions are divided; what it says has to fit the databases."""
APART = ("site", "run", "plugins", CONFIGURATION)
DEPTH = 3


class Content(Struct, frozen=True):
    """What to back up: paths by their names in the backup, and files whose bytes were read with care already."""

    databases: Mapping[str, Path]
    files: Mapping[str, Path]
    plugins: Mapping[str, tuple[Path, bytes]]
    config: str

    @property
    def empty(self) -> bool:
        return not (self.databases or self.files or self.plugins)


def gather(places: Places, environ: Mapping[str, str], warn: Callable[[str], None]) -> Content:
    """Find what there is; `warn` hears of plugins that cannot be read and are left out.

    A configuration with mistakes is taken as it is. Of secrets there is only where they are: the files that hold them
    are no part of it.

    Raises:
        StorageError: the data directory cannot be read.
        PluginError: a plugins folder cannot be read.
    """
    data = places.data
    databases = {str(path.relative_to(data)): path for path in _databases(data, DEPTH)}
    files = {name: data / name for name in KEPT if (data / name).is_file()}
    naming = _Naming(data, places.config)
    folders = Folders.of(data, places.config)
    if places.config is not None:
        config = survey(places.config, environ)[0]
        folders = Folders.of(data, places.config, config.plugins.folder)
        for path in config.files or (places.config,):
            if path.is_file():
                files[naming.name(path)] = path
    plugins = {naming.name(path): (path, content) for path, content in _plugins(folders, warn)}
    return Content(databases, files, plugins, naming.name(places.config) if places.config else "")


class _Naming:
    """Gives each file a name: where it is within the data directory, or within the configuration's folder."""

    def __init__(self, data: Path, config: Path | None) -> None:
        self._data = data
        self._folder = config.parent if config else None
        self._strangers: dict[Path, str] = {}

    def name(self, path: Path) -> str:
        path = Path(os.path.abspath(path))
        if path.is_relative_to(self._data):
            return str(path.relative_to(self._data))
        if self._folder is not None and path.is_relative_to(self._folder):
            return str(PurePosixPath(CONFIGURATION) / path.relative_to(self._folder))
        # Two of them may have the same name.
        folder = self._strangers.setdefault(path.parent, str(len(self._strangers) + 1))
        return str(PurePosixPath(CONFIGURATION, OUTSIDE, folder, path.name))


def _databases(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the databases of a data directory, but none of what it keeps beside its own: packages, older contents."""
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror}") from error
    for entry in entries:
        path = folder / entry.name
        if entry.is_symlink():
            continue
        if entry.is_file() and path.suffix == DATABASE:
            yield path
        elif entry.is_dir() and depth > 1 and entry.name not in APART and not entry.name.startswith((".", ASIDE)):
            yield from _databases(path, depth - 1)


def _plugins(folders: Folders, warn: Callable[[str], None]) -> Iterator[tuple[Path, bytes]]:
    for source in folders.sources():
        if source.origin == "bundled":
            continue
        try:
            snapshot = read(source)
        except PluginError as error:
            warn(f"the plugin {source.name} is left out: {error}")
            continue
        folder = source.path if source.package else source.path.parent
        for name, content in snapshot.files.items():
            yield folder / name, content
