"""Entries as rows, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from clawmesh.abc.journal import Entry, Kind, Story

Row: TypeAlias = tuple[Any, ...]

STORY = "SELECT envelope, kind, at, session, key, data FROM entry WHERE envelope = ? ORDER BY seq"
"""All that makes an entry is selected in this order."""

KINDS = {int(kind): kind for kind in Kind}


def entry(row: Row) -> Entry:
    envelope, kind, at, session, key, data = row
    return Entry(KINDS[kind], envelope, at, data, session, key)


def stories(rows: Iterable[Row]) -> Sequence[Story]:
    """Return the stories of rows in which those of one envelope follow each other."""
    return [[entry(row) for row in group] for _, group in groupby(rows, itemgetter(0))]


CHAIN = """
WITH RECURSIVE start(head, low) AS (
    SELECT coalesce(:fresh, (SELECT seq FROM head WHERE head.session = :session)),
        coalesce((SELECT seq FROM snapshot WHERE snapshot.session = :session), 0)
), chain(seq, envelope, previous) AS (
    SELECT entry.seq, envelope, previous FROM start CROSS JOIN entry ON entry.seq = start.head
    WHERE entry.seq > start.low AND session = :session AND kind = 1
    UNION ALL
    SELECT entry.seq, entry.envelope, entry.previous FROM chain CROSS JOIN entry ON entry.seq = chain.previous
    WHERE entry.seq BETWEEN (SELECT low + 1 FROM start) AND chain.seq - 1
        AND entry.session = :session AND entry.kind = 1
)
"""
"""The accepted entries of a session that its snapshot does not hold, from the newest one backwards; `fresh` is where
that is, or NULL where the table knows it."""
