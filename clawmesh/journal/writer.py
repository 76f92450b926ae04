"""Takes entries on the loop and brings them to disk beside it: whatever has come by then is one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count

import anyio
import apsw

from clawmesh.abc.journal import Entry, Snapshot
from clawmesh.clock import Clock
from clawmesh.errors import StorageError
from clawmesh.journal.checkpointer import Checkpointer
from clawmesh.journal.connection import PASSING, explain
from clawmesh.journal.retention import Retention
from clawmesh.journal.runner import Runner
from clawmesh.journal.store import Store

BATCH_ITEMS = 4_096
GATHER_SECONDS = 0.002
"""Where several write at once, the next batch waits that long for more: a commit costs as much as dozens of entries."""
GATHERED = 256
BATCH_BYTES = 8 << 20
WAITING_ITEMS = 200_000
WAITING_BYTES = 256 << 20
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
CLOSING_SECONDS = 10.0


class Writer:
    """The one who writes. Half of it lives on the loop, half in its runner's thread; between them are plain deques."""

    def __init__(
        self,
        store: Store,
        runner: Runner,
        checkpointer: Checkpointer,
        retention: Retention,
        clock: Clock,
        warn: Callable[[str], None],
    ) -> None:
        self._store = store
        self._runner = runner
        self._checkpointer = checkpointer
        self._retention = retention
        self._clock = clock
        self._warn = warn
        # On the loop.
        self._taken = self._durable = store.position
        self._waiting_bytes = 0
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._closed = ""
        self._failure: BaseException | None = None
        # Handed over.
        self._queue: deque[Entry | Snapshot] = deque()
        # In the runner's thread.
        self._batch: list[Entry | Snapshot] = []
        self._batch_bytes = 0
        self._next = store.position + 1
        self._retry_at = 0.0
        self._pause = 0.0
        self._suspect = False
        self._trouble = ""

    @property
    def trouble(self) -> str:
        broken = self._closed if self._failure is not None else ""
        return broken or self._trouble or self._checkpointer.trouble

    def start(self) -> None:
        self._runner.start(self._step, self._break)
        self._checkpointer.start(self._break)

    def append(self, item: Entry | Snapshot) -> int:
        if self._closed:
            raise StorageError(self._closed)
        _require_text(item)
        size = len(item.data)
        if self._taken - self._durable >= WAITING_ITEMS or self._waiting_bytes + size > WAITING_BYTES:
            reason = self.trouble or "the disk does not keep up"
            raise StorageError(f"too much waits to be written (entries: {self._taken - self._durable}): {reason}")
        self._taken += 1
        self._waiting_bytes += size
        self._queue.append(item)
        self._runner.wake()
        return self._taken

    async def durable(self, position: int) -> None:
        if position <= self._durable:
            return
        if self._failure is not None or position > self._taken:
            raise StorageError(self._closed or f"nothing was given position {position}")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._waiters, (position, next(self._numbers), waiter))
        await waiter

    async def close(self) -> None:
        """Write what was taken, then stop.

        Raises:
            StorageError: the disk did not take everything within ten seconds.
        """
        self._closed = self._closed or "the journal is closed"
        with anyio.move_on_after(CLOSING_SECONDS), suppress(StorageError):  # said below, after the threads have ended
            await self.durable(self._taken)
        with anyio.move_on_after(CLOSING_SECONDS):
            await self._runner.stop()
            await self._checkpointer.stop()
        left = self._taken - self._durable
        if left:
            reason = self._closed if self._failure is not None else self.trouble or "the disk does not answer"
            error = StorageError(f"what was taken last (entries: {left}) could not be written: {reason}")
            self._break(error)
            raise error from self._failure

    def _break(self, error: BaseException) -> None:
        """Take nothing any more; whoever waits will not be served."""
        if self._failure is None:
            self._failure = error
            self._closed = str(error) if isinstance(error, StorageError) else f"the journal broke: {error!r}"
            self._warn(self._closed)
        for _, _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(StorageError(self._closed))
        self._waiters.clear()

    def _committed(self, position: int, size: int) -> None:
        self._durable = position
        self._waiting_bytes -= size
        while self._waiters and self._waiters[0][0] <= position:
            waiter = heappop(self._waiters)[2]
            if not waiter.done():
                waiter.set_result(None)

    def _step(self) -> float | None:
        now = self._clock.monotonic()
        if now < self._retry_at:
            return self._retry_at - now
        self._take()
        try:
            if self._suspect:
                self._store.reopen()
                self._suspect = False
            idle = self._retention.step(self._store, now)
            if not self._batch:
                return idle
            self._store.write(self._batch, self._next)
        except PASSING as error:
            return self._postpone(error, now)
        except apsw.Error as error:
            raise StorageError(explain(error, self._store.path)) from error
        self._written()
        return 0.0

    def _take(self) -> None:
        """Make the next batch, unless there is one which could not be written."""
        if self._batch:
            return
        size = 0
        while self._queue and len(self._batch) < BATCH_ITEMS and size < BATCH_BYTES:
            item = self._queue.popleft()
            self._batch.append(item)
            size += len(item.data)
        self._batch_bytes = size

    def _written(self) -> None:
        several = len(self._batch) > 1
        self._next += len(self._batch)
        self._runner.tell(self._committed, self._next - 1, self._batch_bytes)
        self._batch = []
        if self._trouble:
            self._runner.tell(self._warn, f"the journal {self._store.path} is written again")
            self._trouble, self._pause = "", 0.0
        self._checkpointer.committed()
        if several and len(self._queue) < GATHERED:
            self._runner.rest(GATHER_SECONDS)

    def _postpone(self, error: apsw.Error, now: float) -> float:
        """Keep everything and try again later; nothing of it is acknowledged until then."""
        trouble = explain(error, self._store.path)
        if not self._trouble:
            self._runner.tell(self._warn, f"{trouble}; nothing is acknowledged until it can be written")
        self._trouble = trouble
        # A full disk has written nothing. After any other fault only a look at the disk says what is there.
        self._suspect = not isinstance(error, apsw.FullError)
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
        self._retry_at = now + self._pause
        return self._pause


def _require_text(item: Entry | Snapshot) -> None:
    """Refuse at once what UTF-8 cannot hold: later it would stop everything that waits with it."""
    text = item.session if isinstance(item, Snapshot) else item.envelope + item.session + item.key
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise StorageError(f"{text!r} cannot be written: it is no text ({error.reason})") from error
