"""Entries to write, and journals to write them to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.clock import Clock, SystemClock
from clawmesh.errors import StorageError
from clawmesh.failpoint import Failpoints
from clawmesh.journal.journal import SqliteJournal, open_journal
from tests.simulation.loop import LoopClock, VirtualLoop

NOW = 1_700_000_000.0
DAY = 86_400.0


def accepted(name: str, session: str = "bot/main", *, key: str = "", at: float = NOW) -> Entry:
    return Entry(Kind.ACCEPTED, f"env_{name}", at, b"accepted " + name.encode(), session, key)


def told(kind: Kind, name: str, *, data: bytes = b"", at: float = NOW) -> Entry:
    return Entry(kind, f"env_{name}", at, data)


def ended(name: str, *, at: float = NOW) -> Entry:
    return told(Kind.ENDED, name, data=b"ended", at=at)


def snapshot(session: str = "bot/main", data: bytes = b"snapshot", *, at: float = NOW) -> Snapshot:
    return Snapshot(session, at, data)


def opened(
    path: Path,
    *,
    clock: Clock | None = None,
    keep: float | None = None,
    failpoints: Failpoints | None = None,
    heard: list[str] | None = None,
) -> AbstractAsyncContextManager[SqliteJournal]:
    """Open a real journal; what it warns of goes to `heard`, and without that is an error."""
    return open_journal(
        path,
        clock=clock or SystemClock(),
        keep=keep,
        failpoints=failpoints or Failpoints(),
        warn=_refuse if heard is None else heard.append,
    )


def lived(main: Callable[[LoopClock], Awaitable[None]]) -> None:
    """Run in virtual time."""

    async def run() -> None:
        await main(LoopClock(loop))

    with closing(VirtualLoop()) as loop:
        loop.run_until_complete(run())


def _refuse(text: str) -> None:
    raise StorageError(text)
