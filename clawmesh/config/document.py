"""TOML files: the main one, those it includes, and the `agents.d` folder beside it."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import tomli
from msgspec import Struct

from clawmesh.config.compound import Items
from clawmesh.config.fault import Faults
from clawmesh.config.file import Content, Identity, read_text
from clawmesh.config.scope import Scope
from clawmesh.config.shape import STRING
from clawmesh.config.source import Place, Source
from clawmesh.config.suggestion import nearest
from clawmesh.config.syntax import syntax_problem
from clawmesh.errors import Problem

FILE_BYTES = 64 * 1024 * 1024
FILES = 100_000
DEPTH = 16
FOLDER = "agents.d"
_INCLUDE = Items(STRING, lone=True)

Chain: TypeAlias = Mapping[Identity, str]
"""The files that include each other on the way to the present one, in order, by identity."""


class Document(Struct, frozen=True):
    """One file's tables; `parent` is the document that includes it."""

    source: Source
    table: Mapping[str, Any]
    parent: Document | None = None

    def place(self, *path: str | int) -> Place:
        return Place(self.source, path)


class Library:
    """Reads a configuration file with everything that belongs to it; what it cannot read becomes a problem."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self._readers: dict[Identity, str] = {}

    def read(self, path: Path) -> None:
        """Read the main file, what it includes, and the files of `agents.d` beside it."""
        main = self._open(str(path))
        if main is None:
            return
        self._take(Source(path, main.text), None, {main.identity: str(path)})
        parent = self.documents[0] if self.documents else None
        for file in _walk(os.path.join(path.parent, FOLDER)):
            content = self._open(file)
            if content is not None and content.identity not in self._readers:
                self._readers[content.identity] = f"the folder {FOLDER}"
                self._take(Source(file, content.text), parent, {content.identity: file})

    def add(self, path: Path, text: str) -> None:
        """Take a text in place of a main file."""
        self._take(Source(path, text), None, {})

    def _open(self, path: str) -> Content | None:
        if len(self._readers) >= FILES:
            self.problems.append(Problem(f"not read: there are more than {FILES} files", path))
            return None
        content = read_text(path, FILE_BYTES)
        if isinstance(content, Problem):
            self.problems.append(content)
            return None
        return content

    def _take(self, source: Source, parent: Document | None, chain: Chain) -> None:
        try:
            document = Document(source, tomli.loads(source.text), parent)
        except tomli.TOMLDecodeError as error:
            self.problems.append(syntax_problem(source.name, source.text, error))
        except ValueError as error:  # such as a number of thousands of digits
            self.problems.append(Problem(f"not valid TOML: {error}", source.name))
        except RecursionError:
            self.problems.append(Problem("not valid TOML: lists or tables are nested too deeply", source.name))
        else:
            self.documents.append(document)
            if "include" in document.table:
                self._include(document, chain)

    def _include(self, document: Document, chain: Chain) -> None:
        place, folder = document.place(), os.path.dirname(document.source.name)
        patterns = _INCLUDE.convert(document.table["include"], Scope(folder, {}))
        if isinstance(patterns, Faults):
            self.problems += place.problems(patterns.under("include"))
            return
        for pattern in patterns:
            files = _matches(document.source.name, pattern)
            if not files:
                self.problems.append(place.problem(_no_match(folder, pattern), "include"))
            for file in files:
                self._include_file(file, document, chain)

    def _include_file(self, file: str, document: Document, chain: Chain) -> None:
        content = self._open(file)
        if content is None:
            return
        fault = self._refusal(file, content.identity, chain)
        if fault:
            self.problems.append(document.place().problem(fault, "include"))
            return
        self._readers[content.identity] = document.source.name
        self._take(Source(file, content.text), document, {**chain, content.identity: file})

    def _refusal(self, file: str, identity: Identity, chain: Chain) -> str:
        """Return why the file may not be included here, or nothing."""
        if identity in chain:
            ring = [*chain.values()][[*chain].index(identity) :]
            return f"the files include each other: {' → '.join(map(os.path.basename, [*ring, file]))}"
        if len(chain) >= DEPTH:
            return f"{file} is included more than {DEPTH} files deep"
        if identity in self._readers:
            return f"{file} is included twice, first by {self._readers[identity]}"
        return ""


def _walk(folder: str) -> Iterator[str]:
    for here, folders, files in os.walk(folder):
        # Hidden ones are left out: editors and volume mounts keep their own copies there.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".toml") and not name.startswith("."):
                yield os.path.join(here, name)


def _matches(includer: str, pattern: str) -> list[str]:
    """Return the files that a pattern names, sorted; a pattern with wildcards never means the including file."""
    whole = os.path.join(os.path.dirname(includer), pattern)
    if not glob.has_magic(pattern):
        return [whole] if os.path.lexists(whole) else []
    return [file for file in sorted(glob.glob(whole, recursive=True)) if not os.path.samefile(file, includer)]


def _no_match(folder: str, pattern: str) -> str:
    if glob.has_magic(pattern):
        return f'"{pattern}" matches no file in {folder}'
    within = Path(folder, pattern).parent
    near = nearest(Path(pattern).name, (file.name for file in within.glob("*.toml")))
    hint = f'; did you mean "{Path(pattern).with_name(near)}"?' if near else ""
    return f'there is no file "{pattern}" in {folder}{hint}'
