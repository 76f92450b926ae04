from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawmesh.plugin.importer import NAMESPACE
from tests.plugin.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """An empty workshop; what its plugins changed in this process is undone."""
    path = list(sys.path)
    for folder in ("bundled", "plugins", "data/plugins"):
        (tmp_path / folder).mkdir(mode=0o755, parents=True)
    yield Workshop(tmp_path)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] == NAMESPACE]:
        del sys.modules[name]
