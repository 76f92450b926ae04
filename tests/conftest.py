"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=[{"use_uvloop": False}, {"use_uvloop": True}], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run every asynchronous test on the standard loop and on the one that the executable uses."""
    return "asyncio", request.param


@pytest.fixture(scope="session")
def executable() -> Path:
    """Return the built executable: CLAWMESH_EXECUTABLE, else what `build/make.py exe` makes."""
    path = Path(os.environ.get("CLAWMESH_EXECUTABLE") or ROOT / "build" / "dist" / "clawmesh")
    if not path.is_file():
        pytest.skip(f"{path} is not built: run python3 build/make.py exe")
    return path.resolve()
