"""Retries and fallbacks: one model call over several backends, until one of them answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import anyio
from msgspec import Struct
from msgspec.structs import replace

from clawmesh.abc.backend import Backend, Reply, Request
from clawmesh.clock import Clock
from clawmesh.errors import BackendError, Recourse, UnreachableError
from clawmesh.messages import Emit, Piece, Retraction

JITTER = 0.25


class Link(Struct, frozen=True):
    """One backend of a chain; `name` as in the configuration, `model` as this backend knows it."""

    name: str
    backend: Backend
    model: str


class Setback(Struct, frozen=True):
    """A try that failed, with its backend in the error, and what follows; both times are in seconds."""

    error: BackendError
    recourse: Recourse
    took: float
    wait: float = 0.0


class Patience(Struct, frozen=True):
    """How often to try one backend, and the seconds to wait between: from `first`, doubled, up to `longest`.

    A provider that asks for more than `limit` is not waited for.
    """

    tries: int = 4
    first: float = 0.5
    longest: float = 8.0
    limit: float = 120.0

    def backoff(self, tries: int, random: Random) -> float:
        """Return how long to wait after so many tries; the jitter keeps many callers from coming back as one."""
        return min(self.longest, self.first * 2.0 ** (tries - 1)) * (1 - JITTER * random.random())


PATIENT = Patience()


class Chain:
    """A backend made of backends: it asks the first, and the next where that one fails for good.

    `report` hears of every failed try.
    """

    def __init__(
        self,
        links: Sequence[Link],
        clock: Clock,
        random: Random,
        report: Callable[[Setback], None] | None = None,
        patience: Patience = PATIENT,
    ) -> None:
        self._links = links
        self._clock = clock
        self._random = random
        self._report = report
        self._patience = patience

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Run one model call within `request.seconds`, all tries and waits included.

        Where pieces were passed on and the call starts again, a `Retraction` voids them first.

        Raises:
            BackendError: the last one, with the name of its backend and a note for each error before it.
        """
        call = _Call(request, emit, self._clock)
        for link in self._links:
            reply = await self._persist(call, link)
            if reply is not None:
                return reply
        raise call.failure()

    async def _persist(self, call: _Call, link: Link) -> Reply | None:
        """Return the reply of one backend, or None where the next one is to be asked."""
        for tries in range(1, self._patience.tries + 1):
            begun = self._clock.monotonic()
            try:
                return await call.attempt(link)
            except BackendError as raised:
                error = raised.named(link.name)
            call.errors.append(error)
            wait = self._wait(error, tries, call.left)
            after = self._after(error, wait, link)
            if self._report is not None:
                self._report(Setback(error, after, self._clock.monotonic() - begun, wait or 0.0))
            if after is Recourse.NONE:
                raise call.failure()
            if wait is None:
                break
            await anyio.sleep(wait)
        return None

    def _after(self, error: BackendError, wait: float | None, link: Link) -> Recourse:
        """Return what follows a failed try; nothing does where no backend is left."""
        if wait is not None:
            return Recourse.RETRY
        return Recourse.NONE if error.recourse is Recourse.NONE or link is self._links[-1] else Recourse.FALLBACK

    def _wait(self, error: BackendError, tries: int, left: float) -> float | None:
        """Return the seconds until the next try at the same backend, None if there is none."""
        if error.recourse is not Recourse.RETRY or tries >= self._patience.tries:
            return None
        backoff = self._patience.backoff(tries, self._random)
        asked = error.failure.retry_after
        wait = backoff if asked is None else asked + JITTER * backoff
        return wait if wait < min(left, self._patience.limit) else None


class _Call:
    """One request on its way along the chain: its deadline, its errors, and whether pieces of a try were passed on."""

    def __init__(self, request: Request, emit: Emit, clock: Clock) -> None:
        self._request = request
        self._emit = emit
        self._clock = clock
        self._until = float("inf") if request.seconds is None else clock.monotonic() + request.seconds
        self._spoke = False
        self.errors: list[BackendError] = []

    @property
    def left(self) -> float:
        return self._until - self._clock.monotonic()

    async def attempt(self, link: Link) -> Reply:
        """Try one backend once, with the time that is left.

        Raises:
            UnreachableError: there is none left.
        """
        if self._spoke:
            self._spoke = False
            self._emit(Retraction(str(self.errors[-1])))
        seconds = None if self._request.seconds is None else self.left
        if seconds is not None and seconds <= 0:
            raise UnreachableError(f"the {self._request.seconds:g} s for the call are over")
        request = replace(self._request, model=link.model, seconds=seconds)
        return replace(await link.backend.complete(request, self._pass_on), backend=link.name)

    def _pass_on(self, piece: Piece) -> None:
        self._spoke = True
        self._emit(piece)

    def failure(self) -> BackendError:
        """Return the last error, with a note for each other one before it."""
        *earlier, last = self.errors
        told = {str(last)}
        for error in earlier:
            if str(error) not in told:
                told.add(str(error))
                last.add_note(f"before that, {error}")
        return last
