"""The tables of the journal, and how those of older versions become them."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from clawmesh.errors import StorageError

APPLICATION = 0x436C6177  # "Claw"

# `entry` holds the log in the order of arrival; everything else is found from it, in the same transaction. A position
# is the number of an entry or of a snapshot: both count with the same numbers. Triggers do that, and not statements of
# their own, because the writing thread has to get the interpreter's lock back after each statement.
VERSION_1 = """
CREATE TABLE entry(
    seq INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL,
    kind INTEGER NOT NULL,
    at REAL NOT NULL,
    session TEXT NOT NULL,
    key TEXT NOT NULL,
    data BLOB NOT NULL,
    previous INTEGER NOT NULL
) STRICT;
CREATE INDEX entry_envelope ON entry(envelope);
CREATE TABLE head(session TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE settled(seq INTEGER NOT NULL) STRICT;
INSERT INTO settled VALUES (0);
CREATE TABLE pending(envelope TEXT PRIMARY KEY, seq INTEGER NOT NULL, session TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE intake(key TEXT PRIMARY KEY, envelope TEXT NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE dead(envelope TEXT PRIMARY KEY, session TEXT NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot(
    seq INTEGER PRIMARY KEY,
    session TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TRIGGER accepted AFTER INSERT ON entry WHEN new.kind = 1 BEGIN
    INSERT OR IGNORE INTO pending VALUES (new.envelope, new.seq, new.session);
END;
CREATE TRIGGER keyed AFTER INSERT ON entry WHEN new.kind = 1 AND new.key <> '' BEGIN
    INSERT INTO intake VALUES (new.key, new.envelope, new.at) ON CONFLICT(key)
    DO UPDATE SET envelope = excluded.envelope, at = excluded.at WHERE intake.at < excluded.at - 604800;
END;
CREATE TRIGGER ended AFTER INSERT ON entry WHEN new.kind = 7 BEGIN
    DELETE FROM pending WHERE envelope = new.envelope;
END;
CREATE TRIGGER dead AFTER INSERT ON entry WHEN new.kind = 8 BEGIN
    INSERT OR REPLACE INTO dead SELECT new.envelope, coalesce(max(session), ''), new.at
    FROM entry WHERE envelope = new.envelope;
END;
CREATE TRIGGER undead AFTER INSERT ON entry WHEN new.kind IN (9, 10) BEGIN
    DELETE FROM dead WHERE envelope = new.envelope;
END;
"""

STEPS: Sequence[str] = (VERSION_1,)
"""What leads from each version to the next; the first makes a new database. A released step never changes."""


def version(connection: apsw.Connection, path: str, newest: int = len(STEPS)) -> int:
    """Return the version of the database's tables, 0 for an empty one.

    Raises:
        StorageError: it is another program's, or a newer version of this program made it.
    """
    found = int(connection.pragma("user_version"))
    application = int(connection.pragma("application_id"))
    empty = not found and connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if application != APPLICATION and not (empty and not application):
        raise StorageError(f"{path} is no journal of ClawMesh: it is another program's database")
    if found > newest:
        raise StorageError(
            f"a newer version of ClawMesh made the journal {path} (its version is {found}, this program knows"
            f" {newest}): use that version, or restore a backup from before"
        )
    return found


def migrate(connection: apsw.Connection, found: int, steps: Sequence[str] = STEPS) -> None:
    """Bring the tables from version `found` to the newest, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[found:]:
            connection.execute(step)
        connection.pragma("application_id", APPLICATION)
        connection.pragma("user_version", len(steps))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
