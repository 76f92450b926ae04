"""The product as it stands on a server: a folder with a configuration, the plugin of the proofs, a data directory."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.recovery import shop

CONFIG = """
[mesh]
workers = {workers}

[defaults]
backend = "planner"
model = "planner"
tools = ["charge", "book", "look", "poison"]
peers = ["*"]
topics = ["news"]
limits = {{ seconds = 60 }}
# Longer than any session here: what it remembers is held against all that it answered.
context = {{ history = 100000 }}

[agents.ann]
[agents.ben]
[agents.cho]

[agents.dan]
type = "clerk"

[backends.planner]
type = "planner"
ledger = "{ledger}"

[tools.charge]
type = "charge"
ledger = "{ledger}"

[tools.book]
type = "book"
ledger = "{ledger}"

[tools.look]
type = "look"
ledger = "{ledger}"

[tools.poison]
type = "poison"
ledger = "{ledger}"
"""


@dataclass(frozen=True)
class Site:
    """Runs the executable here, and nothing else of the machine's configuration."""

    executable: Path
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environ(self) -> dict[str, str]:
        own = {"HOME": str(self.folder / "home"), "CLAWMESH_DATA": str(self.data)}
        # Any free port: sites are besieged side by side.
        return {"PATH": os.environ["PATH"], "CLAWMESH_PORT": "0", **own, **self.more}

    def configure(self, ledger: str, workers: int = 1) -> None:
        """Write the configuration; the next process reads it."""
        (self.folder / "clawmesh.toml").write_text(CONFIG.format(ledger=ledger, workers=workers))

    def furnish(self, ledger: str, workers: int = 1) -> None:
        """Write the configuration, and trust the plugin."""
        self.configure(ledger, workers)
        plugins = self.folder / "plugins"
        plugins.mkdir(mode=0o755)
        shutil.copy(shop.__file__, plugins / "shop.py")
        (plugins / "shop.py").chmod(0o644)
        self.run("plugins", "trust", "shop")

    def run(self, *words: str, code: int = 0, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run one command to its end and check its exit code."""
        done = subprocess.run(
            [str(self.executable), *words],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == code, done.stderr
        return done
