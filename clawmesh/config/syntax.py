"""What is wrong with a text that is no TOML, in words for the person who wrote it."""

from __future__ import annotations

from itertools import takewhile

import tomli

from clawmesh.config.scanner import KeyPath, Statement, statements
from clawmesh.config.source import dotted
from clawmesh.errors import Problem

_WORDS = {"True": "true", "False": "false", "yes": "true", "no": "false", "on": "true", "off": "false"}
_NOTHINGS = ("None", "null", "nil")


def syntax_problem(path: str, text: str, error: tomli.TOMLDecodeError) -> Problem:
    """Return the problem at which the parser gave up; never the text around it, which may hold a secret."""
    said = list(takewhile(lambda statement: statement.line <= error.lineno, statements(text)))
    repeated = _repeated(said, error.lineno)
    if repeated is not None:
        first, again = repeated
        return _problem(f"defined twice, first in line {first}", path, again)
    message = f"not valid TOML: {error.msg[0].lower()}{error.msg[1:]}"
    at_end = not text[error.pos :].strip()
    if said and said[-1].line < error.lineno and (at_end or error.lineno <= said[-1].end):
        # What is left open swallows what follows: the place where it was opened is the one to look at.
        return _problem(f"{message}, which begins here", path, said[-1])
    return Problem(f"{message} (column {error.colno}){_hint(error)}", path, error.lineno)


def _repeated(said: list[Statement], line: int) -> tuple[int, Statement] | None:
    """Return the line of the first, and the repetition, where the parser stopped at a name that was there already."""
    seen: dict[KeyPath, int] = {}
    for statement in said:
        first = seen.setdefault(statement.path, statement.line)
        # The parser notices at the end of a header, which may be the next line.
        if first != statement.line and statement.line >= line - 1:
            return first, statement
    return None


def _problem(message: str, path: str, statement: Statement) -> Problem:
    names = [name for name in statement.path if isinstance(name, str)]
    return Problem(message, path, statement.line, dotted(names[:-1]), dotted(names[-1:]))


def _hint(error: tomli.TOMLDecodeError) -> str:
    """Return what was probably meant, judged by what stands where the parser gave up."""
    before = error.doc[error.doc.rfind("\n", 0, error.pos) + 1 : error.pos]
    found = error.doc[error.pos : error.pos + 1]
    if not found.strip():
        if before.rstrip().endswith("="):
            return "; a value is missing"
        quoted = before.count('"') % 2 or before.count("'") % 2
        return '; a text ends in its line, or stands between """ and """' if quoted else ""
    if not found.isalpha():
        return ""
    word = error.doc[error.pos :].split(maxsplit=1)[0]
    if word in _NOTHINGS:
        return "; TOML has no empty value: leave the key out"
    return f"; TOML writes {_WORDS[word]}" if word in _WORDS else '; a text needs quotes: "…"'
