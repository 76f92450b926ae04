"""Messages that flow into a mesh: as many as it takes, or so many a second whatever it does with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from clawmesh.app import App
from clawmesh.bench.suite import Advance
from clawmesh.errors import BusyError, ClawmeshError, FailedError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending
from clawmesh.messages import Message

TICK = 0.001
SECONDS = 3.0
SESSIONS_A_SECOND = 2000


def span(sessions: int) -> float:
    """Return the seconds for which messages flow: a small mesh, which is measured to try things out, takes less."""
    return min(SECONDS, max(0.1, sessions / SESSIONS_A_SECOND))


async def talk(app: App, to: str, text: str) -> bool:
    """Let a session take one turn; False if it came to no answer.

    Raises as `clawmesh.mesh.engine.Engine.ask` does.
    """
    outcome = await app.engine.ask(Address.parse(to), Message.user(text), sender="bench")
    return outcome.ending is Ending.ANSWERED


async def converse(app: App, to: str, text: str) -> None:
    """Let a session take one turn.

    Raises:
        FailedError: it came to no answer, so that what it is part of measures nothing.
    """
    if not await talk(app, to, text):
        raise FailedError(f"{to} gave no answer while it was measured")


class Flow:
    """Asks one session after the other; `line` says what for a number: the session's address and the words.

    `offered` counts what was asked, `refused` what the mesh did not take.
    """

    def __init__(self, app: App, line: Callable[[int], tuple[str, str]]) -> None:
        self._app = app
        self._line = line
        self._tasks: set[asyncio.Task[None]] = set()
        self.offered = 0
        self.refused = 0
        self.failures = 0

    async def closed(self, width: int, seconds: float, advance: Advance) -> None:
        """Keep `width` under way for so long; each is followed by the next when it has its outcome."""
        started = time.monotonic()
        until = started + seconds

        async def follow() -> None:
            while (now := time.monotonic()) < until:
                advance((now - started) / seconds)
                await self._ask()

        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(follow())

    async def open(self, rate: float, seconds: float, advance: Advance) -> None:
        """Begin `rate` a second for so long, whether or not those before have ended."""
        started, begun = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            advance(passed / seconds)
            for _ in range(int(passed * rate) - begun):
                task = asyncio.create_task(self._ask())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            begun = int(passed * rate)
            await asyncio.sleep(TICK)

    async def settle(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks)
        await self._app.engine.drained()

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._app.engine.drained()

    async def _ask(self) -> None:
        number, self.offered = self.offered, self.offered + 1
        try:
            self.failures += not await talk(self._app, *self._line(number))
        except BusyError:
            self.refused += 1
        except ClawmeshError:
            self.failures += 1
