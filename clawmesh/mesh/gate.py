"""Admission: what comes from outside waits at the gate while the engine is at the end of its capacity."""

from __future__ import annotations

from asyncio import Future, get_running_loop

from clawmesh.errors import BusyError

# Sessions whose turn on the event loop has not come yet. More of them make nothing quicker, only later.
READY = 64
LINE = 100_000


class Gate:
    """Lets envelopes from outside in as fast as the engine takes them up, first come, first served.

    Whatever follows from them inside passes freely: what has begun is finished first.
    """

    def __init__(self, ready: int = READY, line: int = LINE) -> None:
        self._reasons: dict[str, str] = {}
        self._bound = ready
        self._line_bound = line
        self._ready = 0
        self._admitted = 0
        self._line: dict[Future[bool], None] = {}

    @property
    def waiting(self) -> int:
        return len(self._line)

    def activated(self) -> None:
        """Note that a session is to be taken up by a pump."""
        self._ready += 1

    def taken(self) -> None:
        """Note that a pump has begun with it; that makes room for one from outside."""
        self._ready -= 1
        if self._line:
            self._admit()

    def hold(self, part: str, reason: str) -> None:
        """Let nothing in for this reason of one part of the process; "" takes that back."""
        if reason:
            self._reasons[part] = reason
        else:
            self._reasons.pop(part, None)

    @property
    def reason(self) -> str:
        """Why nothing is let in, "" where nothing stands against it."""
        return next(iter(self._reasons.values()), "")

    def check(self) -> None:
        """Raises BusyError while nothing is let in."""
        if self._reasons:
            raise BusyError(self.reason)

    async def enter(self, seconds: float) -> None:
        """Wait in line, for so many seconds at most.

        Raises:
            BusyError: nothing is let in, the line is too long, or the time is over.
        """
        self.check()
        if self._ready < self._bound and not self._line:
            return
        if len(self._line) >= self._line_bound:
            raise BusyError(f"{len(self._line)} messages wait to be let in already; try again later")
        entrant: Future[bool] = get_running_loop().create_future()
        self._line[entrant] = None
        timer = get_running_loop().call_later(seconds, _give_up, entrant)
        try:
            came = await entrant
        finally:
            timer.cancel()
            self._leave(entrant)
        if not came:
            raise BusyError("the mesh was too busy to let the message in before its deadline")
        self.check()

    def _admit(self) -> None:
        while self._line and self._ready + self._admitted < self._bound:
            entrant = next(iter(self._line))
            del self._line[entrant]
            if not entrant.done():
                self._admitted += 1
                entrant.set_result(True)

    def _leave(self, entrant: Future[bool]) -> None:
        if entrant in self._line:
            del self._line[entrant]
        elif entrant.done() and not entrant.cancelled() and entrant.result():
            self._admitted -= 1
            # Not every one makes a session ready: some come to one that is at work, or fail; then the next may come.
            get_running_loop().call_soon(self._admit)


def _give_up(entrant: Future[bool]) -> None:
    if not entrant.done():
        entrant.set_result(False)
