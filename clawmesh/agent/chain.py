"""The backends of an agent, in order: each call is retried, then passed on to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import anyio
from msgspec.structs import replace

from clawmesh.abc.backend import Backend, Emit, Reply, Request
from clawmesh.clock import Clock
from clawmesh.errors import BackendError, Recourse
from clawmesh.messages import Piece, Retraction

TRIES = 4
FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
# Past this a provider's Retry-After means "not now": another backend answers sooner.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Link:
    """One backend of the chain; `name` as in the configuration, `model` as this backend knows it."""

    name: str
    backend: Backend
    model: str


@dataclass(frozen=True, slots=True)
class Setback:
    """A failed try: what failed where, and what follows; `wait` is in seconds."""

    error: BackendError
    recourse: Recourse
    wait: float


class Chain:
    """A backend made of backends. `report` hears of every failed try."""

    def __init__(
        self, links: Sequence[Link], clock: Clock, random: Random, report: Callable[[Setback], None] | None = None
    ) -> None:
        self._links = links
        self._clock = clock
        self._random = random
        self._report = report

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Return the first whole reply; when a call starts again after pieces were passed on, a `Retraction` says so.

        Raises:
            BackendError: the last backend's error; errors of those before it are added as notes.
        """
        call = _Call(request, emit, self._clock)
        failures: list[BackendError] = []
        for index, link in enumerate(self._links):
            last = index == len(self._links) - 1
            try:
                return await self._persist(call, link, last=last)
            except BackendError as error:
                failures.append(error)
                if last or error.recourse is Recourse.NONE:
                    break
        for earlier in failures[:-1]:
            failures[-1].add_note(f"before that, {earlier.failure.backend}: {earlier}")
        raise failures[-1]

    async def _persist(self, call: _Call, link: Link, *, last: bool) -> Reply:
        """Try one backend until it answers or trying again is useless."""
        for tried in range(TRIES):
            try:
                return await call.try_(link)
            except BackendError as raised:
                error = raised.named(link.name)
                wait = self._wait(error, tried)
                left = call.left
                hopeless = tried == TRIES - 1 or wait >= left or (wait > PATIENCE and not last)
                again = error.recourse is Recourse.RETRY and not hopeless
                if self._report is not None:
                    self._report(Setback(error, Recourse.RETRY if again else error.recourse, wait if again else 0.0))
                if not again:
                    raise error from raised
            await anyio.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _wait(self, error: BackendError, tried: int) -> float:
        if error.failure.retry_after is not None:
            return error.failure.retry_after
        wait = min(FIRST_WAIT * 2.0**tried, LONGEST_WAIT)
        return wait * (1 - 0.25 * self._random.random())


class _Call:
    """One request on its way along the chain: its deadline, and whether the reader has seen pieces of a lost try."""

    def __init__(self, request: Request, emit: Emit, clock: Clock) -> None:
        self._request = request
        self._emit = emit
        self._clock = clock
        self._until = None if request.seconds is None else clock.monotonic() + request.seconds
        self._heard = False
        self._reason = ""

    @property
    def left(self) -> float:
        return float("inf") if self._until is None else self._until - self._clock.monotonic()

    async def try_(self, link: Link) -> Reply:
        seconds = None if self._until is None else self.left
        try:
            return await link.backend.complete(replace(self._request, model=link.model, seconds=seconds), self._pass_on)
        except BackendError as error:
            if self._heard:
                self._reason = str(error)
            raise

    def _pass_on(self, piece: Piece) -> None:
        if self._reason:
            self._emit(Retraction(self._reason))
            self._reason = ""
        self._heard = True
        self._emit(piece)
