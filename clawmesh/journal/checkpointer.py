"""Keeps the write-ahead log short."""

from __future__ import annotations

import threading
from collections.abc import Callable

import apsw

from clawmesh.journal.connection import PASSING, explain
from clawmesh.journal.runner import Runner
from clawmesh.journal.store import Store

PAGES = 1_000
"""Of the log since the last time, and it is time again: 4 MB."""
PAGES_AT_MOST = 8_000
"""Above this the writer waits and itself brings in the rest, because only then does the log begin anew."""
RETRY_SECONDS = 5.0


class Checkpointer:
    """Works in a thread of its own, beside the writer, which it would otherwise hold up at every checkpoint.

    Without a `runner` the writer does it all.
    """

    def __init__(self, store: Store, runner: Runner | None) -> None:
        self.trouble = ""
        self._store = store
        self._connection: apsw.Connection | None = None
        self._runner = runner
        self._seen = 0
        self._log = 0
        self._brought = 0
        self._one = threading.Lock()

    def start(self, failed: Callable[[BaseException], None]) -> None:
        if self._runner is not None:
            self._runner.start(self._step, failed)

    def committed(self) -> None:
        """Hear, in the writer's thread, that the log has grown."""
        written = self._store.written
        if written < self._seen:
            self._seen = self._brought = 0  # the connection is a new one
        again = self._runner is None and self.trouble
        if written - self._seen < PAGES and not again:
            return
        self._seen = written
        if self._runner is None or max(self._log, written - self._brought) > PAGES_AT_MOST:
            self._attempt(aside=False)
        else:
            self._runner.wake()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.stop()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _step(self) -> float | None:
        if not self._seen:
            return None  # called for the first time
        self._attempt(aside=True)
        return RETRY_SECONDS if self.trouble else None

    def _attempt(self, *, aside: bool) -> None:
        try:
            with self._one:
                if aside and self._connection is None:
                    self._connection = self._store.another()
                written = self._seen
                self._log = self._store.checkpoint(self._connection if aside else None)
                self._brought = written
            self.trouble = ""
        except PASSING as error:
            # Nothing is lost by it: the log has everything, and grows until the disk is well again.
            self.trouble = explain(error, self._store.path)
