"""Where a value comes from: the file as it was read, and the table in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from clawmesh.config.fault import Fault
from clawmesh.config.scanner import KeyPath, lines
from clawmesh.errors import Problem

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Source:
    """One TOML file as it was read; scans for lines only when it is asked for one."""

    def __init__(self, name: str | Path, text: str = "") -> None:
        self.name = str(name)
        self.text = text

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    @property
    def path(self) -> Path:
        return Path(self.name)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return lines(self.text)

    def holds(self, path: KeyPath) -> bool:
        """Tell whether the file itself says this key or table."""
        return path in self._lines

    def line(self, path: KeyPath) -> int:
        """Return the line of a key, or of the innermost table or key around it; 0 where there is none."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 0


class Place(Struct, frozen=True):
    """A table in a file; `inherits` is the table that says the keys which this one leaves out."""

    source: Source
    path: KeyPath
    inherits: Place | None = None

    @property
    def file(self) -> Path:
        return self.source.path

    @property
    def table(self) -> str:
        return dotted(self.path)

    @property
    def line(self) -> int:
        return self.source.line(self.path)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def problem(self, message: str, *path: str | int) -> Problem:
        """Return the problem of a key below this table, at the place that really says the key."""
        owner = self._owner(path)
        whole = (*owner.path, *path)
        # The name of a key ends at the first list; what is wrong within that one is told item by item.
        end = next((index for index, step in enumerate(path) if isinstance(step, int)), len(path))
        within = "".join(f"{dotted([step]) if isinstance(step, str) else f'item {step + 1}'}: " for step in path[end:])
        names = (*owner.path, *path[:end])
        table, key = (names[:-1], names[-1:]) if end else (names, ())
        return Problem(within + message, owner.source.name, owner.source.line(whole), dotted(table), dotted(key))

    def problems(self, faults: Iterable[Fault]) -> list[Problem]:
        return [self.problem(fault.message, *fault.path) for fault in faults]

    def _owner(self, path: KeyPath) -> Place:
        """Return the table, of this one and those it inherits from, that says most of the path."""
        for length in range(len(path), 0, -1):
            place: Place | None = self
            while place is not None:
                if place.source.holds((*place.path, *path[:length])):
                    return place
                place = place.inherits
        return self


def dotted(path: Iterable[str | int]) -> str:
    """Return the names as TOML writes them in a header: those with odd characters in quotes."""
    names = (name for name in path if isinstance(name, str))
    return ".".join(name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in names)
