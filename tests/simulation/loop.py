"""An event loop in virtual time: when nothing is ready its clock jumps to the next timer.

A run depends on nothing but its seed: there is no input, no thread and no time but the loop's own.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections import deque
from collections.abc import Coroutine, Generator
from random import Random
from typing import Any

ROUNDS = 100_000


class StuckError(Exception):
    """Nothing will ever happen any more, or too much happens without time going on."""


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: it tells the loop how long the wait would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError(f"at {self.now:.3f} s nothing is ready, and no timer runs")
        self._rounds = 0 if timeout > 0 else self._rounds + 1
        if self._rounds > ROUNDS:
            raise StuckError(f"the clock stands at {self.now:.3f} s: {ROUNDS} rounds of the loop, and no end")
        self.now += max(0.0, timeout)
        return []


class _Task(asyncio.Task[Any]):
    """A task that knows when it was born; its place in a set does not depend on where it lies in memory."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], *, number: int, **settings: Any) -> None:
        self.number = number
        super().__init__(coroutine, **settings)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs tasks in virtual time, which starts at 0.

    Of the tasks that may run at one moment the oldest does so first, or the one that `shuffle` chooses. What is
    cancelled together wakes in an order that depends on memory addresses, so the order of waking cannot be kept.
    """

    def __init__(self, shuffle: Random | None = None) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._clock_resolution = 1e-6  # wider than the steps of a float after a year
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[asyncio.TimerHandle]
        self._shuffle = shuffle
        self._born = 0
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._jump.now

    def _make_task(
        self,
        _loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **settings: Any,
    ) -> asyncio.Task[Any]:
        assert isinstance(coroutine, Coroutine)
        self._born += 1
        return _Task(coroutine, number=self._born, loop=self, **settings)

    def _run_once(self) -> None:
        if len(self._ready) > 1:
            self._ready = self._ordered()
        elif not self._ready and self._scheduled and math.isinf(self._scheduled[0].when()):
            raise StuckError(f"at {self.time():.3f} s nothing is ready, and no timer will ever end")
        super()._run_once()  # type: ignore[misc] # the one seam that asyncio leaves for the order

    def _ordered(self) -> deque[asyncio.Handle]:
        """Return what is ready, the steps of tasks in another order; callbacks keep theirs, which asyncio promises."""
        tasks = [_stepped(handle) for handle in self._ready]
        steps = [(task.number, index) for index, task in enumerate(tasks) if task is not None]
        if len(steps) < 2:
            return self._ready
        steps.sort()
        if self._shuffle is not None:
            self._shuffle.shuffle(steps)
        order = iter(steps)
        return deque(self._ready[index if task is None else next(order)[1]] for index, task in enumerate(tasks))


def _stepped(handle: asyncio.Handle) -> _Task | None:
    """Return the task that a handle runs a step of."""
    task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return task if type(task) is _Task else None


class LoopClock:
    """The clock of those who live on a virtual loop; `jump` moves the wall clock, as an operator might."""

    def __init__(self, loop: VirtualLoop, since: float = 1_700_000_000.0) -> None:
        self._loop = loop
        self._since = since

    def now(self) -> float:
        return self._since + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        self._since += seconds
