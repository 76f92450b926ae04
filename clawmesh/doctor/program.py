"""A look at the program itself: is what runs what was built?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from clawmesh.doctor.finding import Finding, fail, ok
from clawmesh.errors import StorageError
from clawmesh.frozen import executable, verify
from clawmesh.version import VERSION

NAME = "program"


def program() -> Iterator[Finding]:
    """Compare the unpacked files of the executable with their hashes."""
    if not getattr(sys, "frozen", False):
        yield ok(NAME, f"clawmesh {VERSION} runs from its source, with Python {sys.version.split()[0]}")
        return
    yield from unpacked(Path(sys.executable).parent)


def unpacked(folder: Path) -> Iterator[Finding]:
    """Compare the files in the folder of the unpacked executable with their hashes."""
    mend = f"somebody or the disk has changed it: remove {folder}; the next start unpacks it again"
    try:
        faults = [*verify(folder)]
    except StorageError as error:
        faults = [str(error)]
    for fault in faults:
        yield fail(NAME, fault, mend)
    if not faults:
        yield ok(NAME, f"clawmesh {VERSION}, {executable()}; every file of it is as it was built")
