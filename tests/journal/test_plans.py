"""How SQLite goes about each query: none that a running mesh needs may go through all entries."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from clawmesh.journal import archive, heads, reader, retention, row, schema
from clawmesh.journal.connection import connect_writing

NAMES = ("session", "fresh", "low", "high", "rows", "cutoff", "future", "intake", "heads", "head", "limit")
VALUES = dict.fromkeys(NAMES, 1)
WHOLE = ("SCAN entry", "SCAN snapshot", "SCAN head")
QUERIES = {
    "wake": reader.WAKE,
    "left": reader.LEFT,
    "known": reader.KNOWN,
    "pending": reader.PENDING,
    "story": row.STORY,
    "session": archive.SESSION,
    "old entries": retention.OLD_ENTRIES,
    "old snapshots": retention.OLD_SNAPSHOTS,
    "from entries": retention.FROM_ENTRIES,
    "unused": retention.UNUSED,
    "stories": retention.STORIES,
    "loaded heads": heads.UNSETTLED,
}


def plan(connection: apsw.Connection, query: str) -> list[str]:
    steps: list[str] = []
    for statement in filter(str.strip, query.split(";")):
        values = (1,) * statement.count("?") or VALUES
        steps += [str(line[3]) for line in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    return steps


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_goes_through_all_entries(tmp_path: Path, name: str) -> None:
    connection = connect_writing(str(tmp_path / "0.db"))
    schema.migrate(connection, 0)
    connection.execute(retention.TABLES)
    whole = [step for step in plan(connection, QUERIES[name]) if step.startswith(WHOLE)]
    connection.close()
    assert whole == []
