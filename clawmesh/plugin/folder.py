"""Where plugins, and what they depend on, are kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

import clawmesh
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import UsageError
from clawmesh.plugin.source import Source, find

NAME = "plugins"


class Folders(Struct, frozen=True):
    """The folders that are searched for plugins, and where the data directory keeps what belongs to them."""

    bundled: Path
    user: tuple[Path, ...]
    data: Path
    apart: Source | None = None

    @classmethod
    def of(cls, data: Path, config: Path | None = None, extra: Path | None = None) -> Folders:
        """Return the folders: bundled, beside the configuration file, the one that it names, in the data directory."""
        bundled = Path(clawmesh.__file__).parent.parent / NAME
        wanted = [config.absolute().parent / NAME if config else None, extra, data.absolute() / NAME]
        user = dict.fromkeys(folder for folder in wanted if folder is not None and folder != bundled)
        return cls(bundled, tuple(user), data)

    @property
    def site(self) -> Path:
        """Where packages for this Python are installed, apart from those for any other."""
        return self.data / "site" / str(sys.implementation.cache_tag)

    @property
    def trust(self) -> Path:
        return self.data / "trust.toml"

    def sources(self) -> Iterator[Source]:
        """Yield every plugin, the bundled ones first, or only the one that is set `apart`.

        Raises:
            PluginError: a folder cannot be read.
        """
        if self.apart is not None:
            yield self.apart
            return
        yield from find(self.bundled, "bundled")
        for folder in self.user:
            yield from find(folder, "user")

    def source(self, name: str) -> Source:
        """Return the plugin of this name, or at this path.

        Raises:
            UsageError: there is none.
        """
        known = {source.name: source for source in reversed(list(self.sources()))}
        if name in known:
            return known[name]
        path = Path(name)
        if path.is_file() or path.is_dir():
            path = path.parent if path.name == "__init__.py" else path
            mine = Source.at(path)
            return next((source for source in known.values() if source.path == mine.path), mine)
        raise UsageError(f'there is no plugin "{name}"{did_you_mean(name, known)}')
