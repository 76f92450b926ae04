"""A place to make plugins in: a configuration folder, a data directory, and the loader over both."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from clawmesh.agent.hooks import Incident
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.loader import Loaded, PluginInfo, load
from clawmesh.plugin.source import Source, read
from clawmesh.plugin.trust import Trust
from clawmesh.testing import ManualClock


@dataclass
class Workshop:
    root: Path
    clock: ManualClock = field(default_factory=ManualClock)
    incidents: list[Incident] = field(default_factory=list)

    @property
    def folders(self) -> Folders:
        return Folders(
            self.root / "bundled", (self.root / "plugins", self.root / "data" / "plugins"), self.root / "data"
        )

    def write(self, name: str, text: str, folder: str = "plugins") -> Path:
        """Write a file below a plugins folder; the text may be indented."""
        path = self.root / folder / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        path.chmod(0o644)
        return path

    def trust(self, path: Path) -> None:
        source = Source.at(path)
        Trust.open(self.folders.trust).add(source, read(source))

    def load(self, disabled: Collection[str] = ()) -> Loaded:
        trust = Trust.open(self.folders.trust)
        return load(self.folders, trust, clock=self.clock, report=self.incidents.append, disabled=disabled)

    def load_one(self, name: str, text: str) -> PluginInfo:
        """Write a plugin, trust it and load all; return what became of it."""
        self.trust(self.write(f"{name}.py", text))
        return self.find(name, self.load())

    def find(self, name: str, loaded: Loaded) -> PluginInfo:
        return next(plugin for plugin in reversed(loaded.plugins) if plugin.name == name)
