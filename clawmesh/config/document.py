"""TOML files: the main one, those it includes, and the `agents.d` folder beside it."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import tomli
from msgspec import Struct

from clawmesh.config.compound import Items
from clawmesh.config.fault import Faults
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
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}

Identity: TypeAlias = tuple[int, int]


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
        self._read(path, None, "the main file", ())
        main = self.documents[0] if self.documents else None
        for file in _walk(path.parent / FOLDER):
            if _identity(file) not in self._readers:
                self._read(file, main, f"the folder {FOLDER}", ())

    def add(self, path: Path, text: str) -> None:
        """Take a text as the main file, which includes nothing."""
        document = self._parse(Source(path, text), text, None)
        if document is not None:
            self.documents.append(document)

    def _read(self, path: Path, parent: Document | None, reader: str, chain: tuple[Path, ...]) -> None:
        if len(self._readers) >= FILES:
            self.problems.append(Problem(f"not read: there are more than {FILES} files", str(path)))
            return
        identity = _identity(path)
        if identity is not None:
            self._readers[identity] = reader
        content = read_text(path, FILE_BYTES)
        if isinstance(content, Problem):
            self.problems.append(content)
            return
        document = self._parse(Source(path, content), content, parent)
        if document is not None:
            self.documents.append(document)
            if "include" in document.table:
                self._include(document, (*chain, path))

    def _parse(self, source: Source, text: str, parent: Document | None) -> Document | None:
        try:
            return Document(source, tomli.loads(text), parent)
        except tomli.TOMLDecodeError as error:
            self.problems.append(syntax_problem(source.path, text, error))
        except RecursionError:
            self.problems.append(Problem("not valid TOML: lists or tables are nested too deeply", str(source.path)))
        return None

    def _include(self, document: Document, chain: tuple[Path, ...]) -> None:
        place = document.place()
        patterns = _INCLUDE.convert(document.table["include"], Scope(document.source.path.parent, {}))
        if isinstance(patterns, Faults):
            self.problems += place.problems(patterns.under("include"))
            return
        for pattern in patterns:
            files = _matches(document.source.path, pattern)
            if not files:
                self.problems.append(place.problem(_no_match(document.source.path.parent, pattern), "include"))
            for file in files:
                fault = self._refusal(file, chain)
                if fault:
                    self.problems.append(place.problem(fault, "include"))
                else:
                    self._read(file, document, str(place.file), chain)

    def _refusal(self, file: Path, chain: tuple[Path, ...]) -> str:
        """Return why the file may not be included here, or nothing."""
        identity = _identity(file)
        ring = [ancestor for ancestor in chain if _identity(ancestor) == identity]
        if ring:
            names = [*chain[chain.index(ring[0]) :], file]
            return f"the files include each other: {' → '.join(name.name for name in names)}"
        if len(chain) >= DEPTH:
            return f"{file} is included more than {DEPTH} files deep"
        if identity in self._readers:
            return f"{file} is included twice, first by {self._readers[identity]}"
        return ""


def _identity(path: Path) -> Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        # Hidden ones are left out: editors and volume mounts keep their own copies there.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".toml") and not name.startswith("."):
                yield Path(here, name)


def _matches(includer: Path, pattern: str) -> list[Path]:
    """Return the files that a pattern names, sorted; a pattern with wildcards never means the including file."""
    whole = os.path.join(includer.parent, pattern)
    if not glob.has_magic(pattern):
        return [Path(whole)] if os.path.lexists(whole) else []
    own = _identity(includer)
    return [Path(file) for file in sorted(glob.glob(whole, recursive=True)) if _identity(Path(file)) != own]


def _no_match(folder: Path, pattern: str) -> str:
    if glob.has_magic(pattern):
        return f'"{pattern}" matches no file in {folder}'
    within = (folder / pattern).parent
    near = nearest(Path(pattern).name, (file.name for file in within.glob("*.toml")))
    hint = f'; did you mean "{Path(pattern).with_name(near)}"?' if near else ""
    return f'there is no file "{pattern}" in {folder}{hint}'


def read_text(path: Path, limit: int) -> str | Problem:
    """Return the text of a file of at most `limit` bytes, or the problem of reading it."""
    try:
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Problem("is not a file", str(path))
            data = file.read(limit + 1)
    except OSError as error:
        return Problem(f"cannot be read: {error.strerror}", str(path))
    if len(data) > limit:
        return Problem(f"is larger than {limit // 2**20} MiB", str(path))
    if data[:2] in _BOMS:
        return Problem(f"is {_BOMS[data[:2]]}, expected UTF-8", str(path))
    try:
        return data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Problem(f"is not UTF-8: found byte 0x{data[error.start]:02x}", str(path), line)


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
    return os.open(path, flags | os.O_NONBLOCK)
