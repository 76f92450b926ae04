"""Run a command's coroutine on the event loop, so that Ctrl-C and SIGTERM close everything that is open."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

import anyio

from clawmesh.cli.main import INTERRUPTED
from clawmesh.runtime import loop_options, tune

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run to the end.

    SIGINT, SIGTERM or SIGHUP cancels it; another one ends the process at once, whatever it is doing.

    Raises:
        KeyboardInterrupt: a signal came; all that was open is closed by then.
    """

    async def supervised() -> T:
        task = asyncio.current_task()
        assert task is not None
        interrupt = Interrupt(task.cancel)
        with interrupt.on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            try:
                return await main()
            except asyncio.CancelledError:
                if interrupt.came:
                    raise KeyboardInterrupt from None
                raise

    tune()
    return anyio.run(supervised, backend_options=loop_options())


class Interrupt:
    """Calls `stop` on the event loop when a signal comes; one more ends the process.

    The handlers are Python's and not the loop's, because a loop that runs an agent's `while True: pass` hears nothing.
    With `again`, a signal that the loop has heard is forgotten: the next one ends nothing but what `stop` stops.
    """

    def __init__(self, stop: Callable[[], object], *, again: bool = False) -> None:
        self._stop = stop
        self._again = again
        self._loop = asyncio.get_running_loop()
        self.came = False

    @contextmanager
    def on(self, *signals: signal.Signals) -> Iterator[None]:
        """Handle these signals; if one is to be the last, then as long as the process lives."""
        heeded = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.signal(number, self._handle) for number in heeded}
        try:
            yield
        finally:
            if self._again or not self.came:
                for number, handler in previous.items():
                    signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            os._exit(INTERRUPTED)
        self.came = True
        self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        self.came = not self._again
        self._stop()
