"""Who runs the work of the journal that waits for the disk: a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeAlias

from clawmesh.errors import StorageError

Step: TypeAlias = Callable[[], float | None]
"""Does a piece of work; returns the seconds after which to be called again, None for not until `wake`."""


class Runner(Protocol):
    """Calls one function again and again, never twice at once."""

    def start(self, step: Step, failed: Callable[[BaseException], None]) -> None:
        """Call the step for the first time; if it ever raises, say so to `failed` on the loop, and stop."""

    def wake(self) -> None:
        """See to it that the step is called at least once from here on."""

    def tell(self, call: Callable[..., None], *arguments: Any) -> None:
        """Call a function on the loop, from within the step."""

    def rest(self, seconds: float) -> None:
        """Let some time pass within the step."""

    async def stop(self) -> None:
        """Return when the step is not running and will not be called again."""


class ThreadRunner:
    """Runs its step in a thread. The thread is a daemon: a disk that never answers does not keep the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._asleep = False
        self._stopping = False
        self._ended: asyncio.Future[None] | None = None

    def start(self, step: Step, failed: Callable[[BaseException], None]) -> None:
        """Start the thread.

        Raises:
            StorageError: the system gives no more threads.
        """
        thread = threading.Thread(target=self._run, args=(step, failed), name=f"clawmesh {self._name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise StorageError(f"there is no thread for the {self._name}: {error}") from error
        self._ended = self._loop.create_future()

    def wake(self) -> None:
        if self._asleep:
            self._asleep = False
            self._tokens.put(None)

    def tell(self, call: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    async def stop(self) -> None:
        self._stopping = True
        self._tokens.put(None)
        if self._ended is not None:
            await asyncio.shield(self._ended)

    def _run(self, step: Step, failed: Callable[[BaseException], None]) -> None:
        try:
            while not self._stopping:
                # Said before the step looks, so that what comes while it looks is not overlooked.
                self._asleep = True
                self._pause(step())
        except BaseException as error:  # noqa: BLE001 - told to the owner, who judges it
            self.tell(failed, error)
        self.tell(self._end)

    def _pause(self, seconds: float | None) -> None:
        try:
            self._tokens.get(timeout=seconds)
        except Empty:
            return

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
