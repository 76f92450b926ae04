"""Run a command's coroutine on the event loop, so that Ctrl-C and SIGTERM close everything that is open."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from clawmesh.runtime import loop_options, tune

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run to the end.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; all that was open is closed by then.
    """

    async def supervised() -> T:
        with _terminable():
            return await main()

    tune()
    return anyio.run(supervised, backend_options=loop_options())


@contextmanager
def _terminable() -> Iterator[None]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        assert task is not None
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        yield
    except asyncio.CancelledError:
        if terminated:
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
