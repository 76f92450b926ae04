"""Columns of text: each as wide as its widest cell, the last one made to fit what a terminal has left for it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TypeAlias

Row: TypeAlias = tuple[str, ...]

GAP = "  "
# What a last column that may be cut off should keep; with less than the least it runs free.
AMPLE = 20
LEAST = 12


def fit(rows: Sequence[Row], width: int, spare: Sequence[str], *, brief: bool) -> list[Row]:
    """Return the rows for a terminal of this width; the first holds the columns' names.

    While the last column has too little room, columns named in `spare` are left out, in that order. What it still has
    too much is cut off if `brief`, else it goes on in lines below.
    """
    fitted = list(rows)
    widest = widths(fitted)[-1]
    for name in spare:
        if _room(fitted, width) >= (min(AMPLE, widest) if brief else widest):
            break
        at = fitted[0].index(name)
        fitted = [(*row[:at], *row[at + 1 :]) for row in fitted]
    room = _room(fitted, width)
    if room < LEAST:
        return fitted
    below = "\n" + " " * (width - room)
    return [(*row[:-1], short(row[-1], room) if brief else below.join(_fold(row[-1], room))) for row in fitted]


def widths(rows: Sequence[Row]) -> list[int]:
    """Return how wide each column is."""
    return [max(map(columns, cells)) for cells in zip(*rows, strict=True)]


def join(row: Row, wide: Sequence[int], looks: Sequence[str] = ()) -> str:
    """Return the cells of a row side by side, each so wide; `looks` are the same cells as they are shown."""
    cells = zip(row, looks or row, wide, strict=True)
    return GAP.join(look + " " * (width - columns(cell)) for cell, look, width in cells).rstrip()


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def short(text: str, most: int) -> str:
    """Return a text on one line of at most so many columns."""
    line = " ".join(text.split())
    taken = kept = 0
    for index, character in enumerate(line, 1):
        taken += _columns(character)
        if taken > most:
            return f"{line[:kept]}…"
        if taken < most:
            kept = index
    return line


def _room(rows: Sequence[Row], width: int) -> int:
    return width - sum(each + len(GAP) for each in widths(rows)[:-1])


def _fold(text: str, room: int) -> list[str]:
    # A word stays whole, so that an id or a path can be copied.
    lines = (wrap(line, room, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())
    return [part for line in lines for part in line or [""]] or [""]


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    # Here, not above: most of what is written needs none of it.
    from unicodedata import combining, east_asian_width  # noqa: PLC0415

    return 2 if east_asian_width(character) in "WF" else 0 if combining(character) else 1
