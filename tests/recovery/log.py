"""The log of a journal, read past all that ClawMesh makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw

from clawmesh.abc.journal import Entry
from clawmesh.journal import row

LOG = "SELECT envelope, kind, at, session, key, data FROM entry ORDER BY seq"
PENDING = "SELECT envelope FROM pending"


def read_log(connection: apsw.Connection) -> tuple[Sequence[Entry], list[str]]:
    """Return everything that is in a journal, and what is wrong with it when all work is done."""
    faults = [f"{id} is still pending" for (id,) in connection.execute(PENDING)]
    if (found := connection.pragma("integrity_check")) != "ok":
        faults.append(f"the journal is damaged: {found}")
    return [row.entry(each) for each in connection.execute(LOG)], faults


def read_logs(folder: Path) -> tuple[Sequence[Entry], list[str]]:
    """Return the same of all journals in a folder, one after the other."""
    log: list[Entry] = []
    faults: list[str] = []
    for path in sorted(folder.glob("*.db")):
        with closing(apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)) as connection:
            entries, wrong = read_log(connection)
        log += entries
        faults += wrong
    return log, faults
