"""One coarse clock for many deadlines: arming a deadline is a dictionary entry, not a timer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio

TICK = 0.25
LATE = 1.0
NEVER = float("inf")


class Timed(Protocol):
    """Something with a deadline that moves; `slot` belongs to the wheel and starts at 0."""

    slot: int

    def check(self, now: float) -> float:
        """Act on a deadline that has passed; return the next moment to look, or 0.0 for never."""


class Wheel:
    """Looks at each timed thing when its deadline may have passed, up to TICK seconds late.

    A deadline that moves away costs nothing: the thing is looked at as first planned, and says when to look again.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._slots: dict[int, dict[Timed, None]] = {}
        self._armed = anyio.Event()

    def watch(self, item: Timed, due: float) -> None:
        """Look at `item` at `due` at the latest."""
        if due == NEVER:
            return
        slot = int(due / TICK) + 1
        if item.slot:
            if item.slot <= slot:
                return
            self.drop(item)
        item.slot = slot
        self._slots.setdefault(slot, {})[item] = None
        self._armed.set()

    def drop(self, item: Timed) -> None:
        """Look at `item` no more."""
        if items := self._slots.get(item.slot):
            items.pop(item, None)
        item.slot = 0

    async def run(self) -> None:
        """Turn for as long as anything is watched; waits without waking otherwise."""
        while True:
            if not self._slots:
                self._armed = anyio.Event()
                await self._armed.wait()
            due = (int(self.now() / TICK) + 1) * TICK
            await anyio.sleep(max(0.0, due - self.now()))
            if self.now() - due > LATE:
                # The process was stopped or starved. What arrived meanwhile is read before anything is called late.
                await anyio.sleep(TICK)
            self.turn()

    def turn(self) -> None:
        """Look at everything whose moment has come."""
        now = self.now()
        current = int(now / TICK)
        for slot in sorted(slot for slot in self._slots if slot <= current):
            for item in self._slots.pop(slot):
                if item.slot == slot:  # else an earlier check has dropped or moved it
                    item.slot = 0
                    self._look(item, now)

    def _look(self, item: Timed, now: float) -> None:
        if due := item.check(now):
            self.watch(item, max(due, now))
