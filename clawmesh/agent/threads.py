"""Worker threads for plain functions, which may block or never return."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")


class Threads:
    """Runs functions beside the event loop, at most `limit` at once; more wait for their turn.

    A thread cannot be stopped: when its caller is cancelled it runs on, and keeps its place until it ends, so that
    functions which hang stay bounded. The threads are daemons: none of them can hold up the end of the process.
    """

    def __init__(self, name: str, limit: int = 8) -> None:
        self._name = name
        self._places = anyio.Semaphore(limit)

    async def run(self, function: Callable[[], T]) -> T:
        """Call the function in a thread; return what it returns and raise what it raises, SystemExit included."""
        await self._places.acquire()
        job = _Job(function, asyncio.get_running_loop(), self._places.release)
        try:
            threading.Thread(target=job.work, name=f"clawmesh {self._name}", daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            self._places.release()
            raise
        await job.finished
        return job.result()


class _Job(Generic[T]):
    def __init__(self, function: Callable[[], T], loop: asyncio.AbstractEventLoop, done: Callable[[], Any]) -> None:
        self.finished: asyncio.Future[None] = loop.create_future()
        self._function = function
        self._loop = loop
        self._done = done
        self._value: T
        self._error: BaseException | None = None

    def work(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001 - carried to the caller, who judges it
            self._error = error
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish)

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value

    def _finish(self) -> None:
        self._done()
        if not self.finished.done():
            self.finished.set_result(None)
