"""The journal as people read it: all files of a data directory, also while a process writes to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import apsw
from msgspec import Struct

from clawmesh.abc.journal import Story
from clawmesh.errors import StorageError
from clawmesh.journal import row, schema
from clawmesh.journal.connection import connect_viewing, ours

ROOT_LENGTH = len("env_") + 9
"""Ids of envelopes that go back to the same one begin with as many equal characters."""
ABOVE = "\x7f"
"""Sorts after every character of an id."""


class DeadLetter(Struct, frozen=True):
    """An envelope that failed and rests; `at` is in seconds since 1970."""

    envelope: str
    session: str
    at: float
    reason: str


class SessionSize(Struct, frozen=True):
    """What a session takes on disk, in bytes of data; `used` is in seconds since 1970."""

    session: str
    entries: int
    journal_bytes: int
    snapshot_bytes: int
    used: float


class Archive:
    """Made by `open_archive`. Every method raises StorageError where a file cannot be read."""

    def __init__(self, files: Sequence[_File]) -> None:
        self._files = files

    @property
    def size(self) -> int:
        """How many bytes the files take on disk."""
        return sum(file.size for file in self._files)

    def story(self, envelope: str) -> Story:
        """Return the entries of one envelope; none where it is not known."""
        found = (row.stories(file.read(row.STORY, envelope)) for file in self._files)
        return next(filter(None, found), [[]])[0]

    def kin(self, envelope: str, limit: int = 1000) -> Sequence[Story]:
        """Return the stories of all envelopes that go back to the same one as this, oldest first."""
        return self._oldest_first(self._beginning(envelope[:ROOT_LENGTH], limit))[:limit]

    def find_prefix(self, text: str, limit: int = 10) -> Sequence[str]:
        """Return ids of envelopes that begin with the text."""
        return self._beginning(text, limit)

    def near(self, text: str) -> Sequence[str]:
        """Return the ids of envelopes that come just before and just after the text in their order."""
        query = (
            "SELECT max(envelope) FROM entry WHERE envelope <= ?1"
            " UNION ALL SELECT min(envelope) FROM entry WHERE envelope > ?1"
        )
        found = {id for file in self._files for (id,) in file.read(query, text) if id}
        before = [id for id in found if id <= text]
        after = [id for id in found if id > text]
        return [*([max(before)] if before else []), *([min(after)] if after else [])]

    def session(self, address: str, limit: int = 100) -> Sequence[Story]:
        """Return the newest stories of a session, oldest first."""
        ids: set[str] = set()
        for file in self._files:
            ((head,),) = file.read(HEAD, address, address)
            ids.update(id for (id,) in file.read(SESSION, {"session": address, "head": head, "limit": limit}))
        return self._oldest_first(ids)[-limit:]

    def sessions(self, agent: str = "") -> Sequence[SessionSize]:
        """Return what each session takes, of one agent or of all, sorted by address."""
        low, high = (f"{agent}/", f"{agent}0") if agent else ("", "\U0010ffff")  # "0" follows "/"
        sizes: dict[str, SessionSize] = {}
        for file in self._files:
            for size in file.read(SIZES, low, high):
                sizes[size[0]] = _sum(sizes.get(size[0]), SessionSize(*size))
        return [sizes[session] for session in sorted(sizes)]

    def dead(self, limit: int = 1000, agent: str = "") -> Sequence[DeadLetter]:
        """Return the dead letters, oldest first."""
        low, high = (f"{agent}/", f"{agent}0") if agent else ("", "\U0010ffff")
        letters = {
            id: DeadLetter(id, session, at, (reason or b"").decode(errors="replace"))
            for file in self._files
            for id, session, at, reason in file.read(DEAD, low, high, limit)
        }
        return sorted(letters.values(), key=lambda letter: (letter.at, letter.envelope))[:limit]

    def outcomes(self, since: float, limit: int) -> Sequence[tuple[float, str, bytes]]:
        """Return the newest outcomes after a moment in seconds since 1970: when, of which session, and their data."""
        return [(at, session, data) for file in self._files for at, session, data in file.read(OUTCOMES, since, limit)]

    def _beginning(self, text: str, limit: int) -> Sequence[str]:
        query = "SELECT DISTINCT envelope FROM entry WHERE envelope >= ? AND envelope < ? ORDER BY envelope LIMIT ?"
        found = {id for file in self._files for (id,) in file.read(query, text, text + ABOVE, limit)}
        return sorted(found)[:limit]

    def _oldest_first(self, ids: set[str] | Sequence[str]) -> Sequence[Story]:
        return sorted((self.story(id) for id in ids), key=lambda story: (story[0].at, story[0].envelope))


@contextmanager
def open_archive(folder: Path) -> Iterator[Archive]:
    """Open the journal in a data directory's folder `journal` for reading; without one there is nothing in it.

    Raises:
        StorageError: the folder may not be read, or a file is damaged, another program's, or of a newer version of this
            program.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(_opened(path)) for path in _paths(folder)]
        yield Archive([file for file in files if file is not None])


HEAD = """
SELECT max(
    coalesce((SELECT seq FROM head WHERE session = ?), 0),
    coalesce((SELECT max(seq) FROM entry WHERE seq > (SELECT seq FROM settled) AND kind = 1 AND session = ?), 0)
)
"""
SESSION = """
WITH RECURSIVE chain(seq, envelope, previous) AS (
    SELECT seq, envelope, previous FROM entry WHERE seq = :head AND session = :session AND kind = 1
    UNION ALL
    SELECT entry.seq, entry.envelope, entry.previous FROM chain CROSS JOIN entry ON entry.seq = chain.previous
    WHERE entry.seq < chain.seq AND entry.session = :session AND entry.kind = 1
)
SELECT envelope FROM chain LIMIT :limit
"""
DEAD = """
SELECT dead.envelope, dead.session, dead.at,
    (SELECT data FROM entry WHERE entry.envelope = dead.envelope AND kind = 8 ORDER BY seq DESC LIMIT 1)
FROM dead WHERE session >= ? AND session < ? ORDER BY dead.at LIMIT ?
"""
OUTCOMES = """
SELECT ended.at, accepted.session, ended.data
FROM entry AS ended CROSS JOIN entry AS accepted ON accepted.envelope = ended.envelope AND accepted.kind = 1
WHERE ended.kind = 7 AND ended.at >= ? ORDER BY ended.seq DESC LIMIT ?
"""
SIZES = """
WITH told AS (
    SELECT accepted.session AS session, count(*) AS entries, sum(length(told.data)) AS bytes, max(told.at) AS at
    FROM entry AS accepted CROSS JOIN entry AS told ON told.envelope = accepted.envelope
    WHERE accepted.kind = 1 AND accepted.session >= ?1 AND accepted.session < ?2
    GROUP BY accepted.session
), kept AS (
    SELECT session, length(data) AS bytes, at FROM snapshot WHERE session >= ?1 AND session < ?2
)
SELECT coalesce(told.session, kept.session), coalesce(entries, 0), coalesce(told.bytes, 0), coalesce(kept.bytes, 0),
    max(coalesce(told.at, 0), coalesce(kept.at, 0))
FROM told FULL JOIN kept ON told.session = kept.session
"""


class _File:
    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection

    @property
    def size(self) -> int:
        paths = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    def read(self, query: str, *values: str | float | Mapping[str, str | int]) -> list[row.Row]:
        """Return what the query finds, given its values in their order or by their names."""
        named = values[0] if values and isinstance(values[0], Mapping) else values
        with ours(str(self._path)):
            return list(self._connection.execute(query, named))


def _paths(folder: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".db")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StorageError(f"the journal in {folder} cannot be read: {error.strerror}") from error


@contextmanager
def _opened(path: Path) -> Iterator[_File | None]:
    with ours(str(path)), closing(connect_viewing(path)) as connection:
        found = schema.version(connection, str(path))
        if 0 < found < len(schema.STEPS):
            raise StorageError(f"an older version of ClawMesh made the journal {path}: open the mesh once to renew it")
        yield _File(path, connection) if found else None


def _sum(one: SessionSize | None, other: SessionSize) -> SessionSize:
    if one is None:
        return other
    return SessionSize(
        other.session,
        one.entries + other.entries,
        one.journal_bytes + other.journal_bytes,
        one.snapshot_bytes + other.snapshot_bytes,
        max(one.used, other.used),
    )
