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
