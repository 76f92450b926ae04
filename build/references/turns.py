"""What the turn-runners of all frameworks share: `python turns_NAME.py URL TURNS` prints what so many at once cost.

A turn is a conversation of its own: the model calls the tool `clock`, hears what it says, and answers. All runners have
the same event loop, the same rare garbage collections and, but for the floor, the same HTTP client. One agent holds all
conversations where its framework does well with that, and nothing is stored: the cheapest way to use each.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

import uvloop

# The provider takes 200 ms for each of the two answers.
MODEL = "tool:1x200"
QUESTION = "What time is it?"
SECONDS = 180

Turn: TypeAlias = Callable[[int], Awaitable[object]]
"""Holds the conversation of this number and returns the text of its answer."""

Clock: TypeAlias = Callable[[], Awaitable[str]]


class Meter:
    """Counts the turns that are done, and how often their tool is called."""

    def __init__(self, turns: int) -> None:
        self._turns = turns
        self._called = 0
        self._done = 0
        self._reason = ""
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def call(self) -> str:
        """Be the tool."""
        self._called += 1
        return "twelve"

    async def watch(self, turn: Awaitable[object]) -> None:
        """Wait for a turn, which is done if its answer has a text."""
        try:
            answer = await turn
        except Exception as error:  # noqa: BLE001  # a framework may raise anything; the other turns go on
            self._fail(f"{type(error).__name__}: {error}")
            return
        if isinstance(answer, str) and answer.strip():
            self._done += 1
        else:
            self._fail(f"the answer was {answer!r}")

    def report(self, reason: str = "") -> dict[str, object]:
        """Return the figures; `reason` says why the turns were cut short."""
        cpu = time.process_time() - self._cpu
        if self._called < self._done:
            reason = f"the tool was called {self._called} times in {self._done} turns"
        return {
            "turns": self._turns,
            "failed": self._turns - self._done,
            "wall_seconds": round(time.monotonic() - self._wall, 3),
            "cpu_ms_per_turn": round(cpu * 1000 / self._done, 4) if self._done else 0,
            "peak_rss_mb": round(highest() / 1024, 1),
            "reason": reason or self._reason,
        }

    def _fail(self, reason: str) -> None:
        self._reason = self._reason or reason[:300]


Runner: TypeAlias = Callable[[str, Clock], AbstractAsyncContextManager[Turn]]
"""Opens a framework on the provider's URL, with the tool `clock`."""


def highest() -> int:
    """Return the KiB of memory that this process has held at most; getrusage would count whoever started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main(runner: Runner) -> None:
    """Run as many turns as the command line asks for, and print what they cost."""
    url, turns = sys.argv[1], int(sys.argv[2])
    gc.set_threshold(50_000, 20, 100)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(measure(runner, url, turns))


async def measure(runner: Runner, url: str, turns: int) -> None:
    """Run one turn that is not counted, then all at once; what is not done after three minutes has failed."""
    meter = Meter(1)

    async def clock() -> str:
        """Tell what time it is."""  # asynchronous, because most frameworks give a synchronous tool a thread
        return meter.call()

    async with runner(url, clock) as turn:
        await turn(0)
        gc.collect()
        gc.freeze()
        meter = Meter(turns)
        # A signal, because the event loop may be too busy to end anything in time.
        signal.signal(signal.SIGALRM, lambda *_: finish(meter, f"cut short after {SECONDS} s"))
        signal.alarm(SECONDS)
        await asyncio.gather(*(meter.watch(turn(number)) for number in range(1, turns + 1)))
        finish(meter)


def finish(meter: Meter, reason: str = "") -> None:
    """Print the figures and end at once: closing ten thousand conversations is not part of them."""
    print(json.dumps(meter.report(reason)), flush=True)
    os._exit(0)
