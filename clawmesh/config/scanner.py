"""Where each table and key of a TOML text stands.

The parser reports no positions of what is right, so this small scanner finds them when a problem is to be shown. It
follows TOML 1.0 as far as statements go: headers, dotted and quoted keys, and values that span lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import tomli
from msgspec import Struct

KeyPath: TypeAlias = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_START = re.compile(rf"[ \t]*(?:(?P<brackets>\[\[?)[ \t]*(?P<header>{_DOTTED})|(?P<key>{_DOTTED})[ \t]*=)?")
_BARE = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"{3,5}|\Z)'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[{]|[\]}]|\n"
    r"|[^\"'\#\[\]{}\n,]+"
    r"|.",
    re.DOTALL,
)


class Statement(Struct, frozen=True):
    """One header or one key with its value: the whole path from the top, the lines where it begins and ends.

    `value` is where a key's value begins and ends in the text; `element` marks a header of an array of tables, which
    may be said again.
    """

    path: KeyPath
    line: int
    end: int
    value: tuple[int, int]
    element: bool = False


def statements(text: str) -> Iterator[Statement]:
    """Yield the statements of a TOML text in order; where it is not TOML, what can be made out."""
    tables = _Tables()
    position, line = 0, 1
    while position < len(text):
        match = _START.match(text, position)
        assert match is not None, "every part of the pattern is optional"
        begin = match.end("header") if match["header"] else match.end()
        end = _end(text, begin, header=bool(match["header"]))
        last = line + text.count("\n", position, end - 1)
        if match["header"]:
            element = match["brackets"] == "[["
            yield Statement(tables.enter(_split(match["header"]), element=element), line, last, (begin, end), element)
        elif match["key"]:
            yield Statement((*tables.current, *_split(match["key"])), line, last, (begin, end))
        position, line = end, last + 1


def lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each table, key and item of a list, and of the tables named only within longer names."""
    found: dict[KeyPath, int] = {}
    for statement in statements(text):
        for length in range(1, len(statement.path) + 1):
            found.setdefault(statement.path[:length], statement.line)
        # A table's own header says more than that of a sub-table which stands before it.
        found[statement.path] = statement.line
        if statement.end > statement.line:
            for index, offset in enumerate(_items(text, *statement.value)):
                found[*statement.path, index] = statement.line + text.count("\n", statement.value[0], offset)
    return found


class _Tables:
    """Knows the table that the last header opened, and counts the elements of arrays of tables."""

    def __init__(self) -> None:
        self.current: KeyPath = ()
        self._counts: dict[KeyPath, int] = {}

    def enter(self, names: tuple[str, ...], *, element: bool) -> KeyPath:
        path: KeyPath = ()
        for name in names[:-1]:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, names[-1])
        if element:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
        self.current = path
        return path


def _end(text: str, position: int, *, header: bool) -> int:
    """Return where the statement ends that goes on at `position`: after its last newline."""
    depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None, "the last alternative takes any character"
        position = token.end()
        if token[0] == "\n" and (depth <= 0 or header):
            return position
        depth += (token[0] in "[{") - (token[0] in "]}")
    return position


def _items(text: str, position: int, end: int) -> Iterator[int]:
    """Yield where each item of a list begins; of any other value nothing."""
    depth, awaited = 0, False
    while position < end:
        token = _TOKEN.match(text, position)
        assert token is not None, "the last alternative takes any character"
        if depth == 0 and token[0] == "{":
            return
        if awaited and depth == 1 and token[0].strip() and token[0][0] not in "#],":
            awaited = False
            yield position
        depth += (token[0] in "[{") - (token[0] in "]}")
        awaited = awaited or (depth == 1 and token[0] in "[,")
        position = token.end()


def _split(dotted: str) -> tuple[str, ...]:
    if _BARE.fullmatch(dotted):
        return tuple(dotted.split("."))
    try:
        table = tomli.loads(f"{dotted} = 0")
    except tomli.TOMLDecodeError:
        # A wrong escape in a quoted key: the parser has the say on it, here it only needs a name.
        return (dotted,)
    names = []
    while isinstance(table, dict):
        name, table = next(iter(table.items()))
        names.append(name)
    return tuple(names)
