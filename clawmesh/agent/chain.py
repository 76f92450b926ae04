"""Retries and fallbacks: one model call over several backends, until one of them answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import anyio
from msgspec.structs import replace

from clawmesh.abc.backend import Backend, Emit, Reply, Request
from clawmesh.clock import Clock
from clawmesh.errors import BackendError, Recourse, UnreachableError
from clawmesh.messages import Piece, Retraction

JITTER = 0.25


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try one backend, and the seconds to wait between: from `first`, doubled, up to `longest`.

    A provider that asks for more than `limit` is not waited for.
    """

    tries: int = 3
    first: float = 0.5
    longest: float = 8.0
    limit: float = 120.0

    def backoff(self, tries: int, random: Random) -> float:
        """Return how long to wait after so many tries; the jitter keeps many callers from coming back as one."""
        return min(self.longest, self.first * 2.0 ** (tries - 1)) * (1 - JITTER * random.random())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that failed: at which backend, after how many seconds, and how long until the next try there.

    `wait` is None where no further try follows at this backend.
    """

    backend: str
    seconds: float
    error: BackendError
    wait: float | None


Observe = Callable[[Attempt], None]


class Chain:
    """Is itself a backend: asks the first, and the next where that one fails for good. Used by many turns at once."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        clock: Clock,
        random: Random,
        *,
        patience: Patience = Patience(),
        observe: Observe | None = None,
    ) -> None:
        self._backends = backends
        self._clock = clock
        self._random = random
        self._patience = patience
        self._observe = observe

    async def complete(self, request: Request, emit: Emit) -> Reply:
        """Run one model call within `request.seconds`, all tries and waits included.

        Where pieces were passed on and the call starts again, a `Retraction` voids them first.

        Raises:
            BackendError: the last one, with the name of its backend and a note for each one before it.
        """
        journey = _Journey(request, emit, self._clock)
        for name, backend in self._backends.items():
            reply = await self._ask(name, backend, journey)
            if reply is not None:
                return reply
        raise journey.failure()

    async def _ask(self, name: str, backend: Backend, journey: _Journey) -> Reply | None:
        """Return the reply of one backend, or None where the next one is to be asked."""
        for tries in range(1, self._patience.tries + 1):
            begun = self._clock.monotonic()
            try:
                return await backend.complete(journey.begin(), journey.emit)
            except BackendError as error:
                failed = error.named(name)
            wait = self._wait(failed, tries, journey.remaining)
            journey.errors.append(failed)
            if self._observe is not None:
                self._observe(Attempt(name, self._clock.monotonic() - begun, failed, wait))
            if failed.recourse is Recourse.NONE:
                raise journey.failure()
            if wait is None:
                return None
            await anyio.sleep(wait)
        return None

    def _wait(self, error: BackendError, tries: int, remaining: float) -> float | None:
        """Return the seconds until the next try at the same backend, None if there is none."""
        if error.recourse is not Recourse.RETRY or tries >= self._patience.tries:
            return None
        backoff = self._patience.backoff(tries, self._random)
        asked = error.failure.retry_after
        wait = backoff if asked is None else asked + JITTER * backoff
        return wait if wait < min(remaining, self._patience.limit) else None


class _Journey:
    """One call on its way along the chain."""

    def __init__(self, request: Request, emit: Emit, clock: Clock) -> None:
        self._request = request
        self._emit = emit
        self._clock = clock
        self._until = float("inf") if request.seconds is None else clock.monotonic() + request.seconds
        self._spoke = False
        self.errors: list[BackendError] = []

    @property
    def remaining(self) -> float:
        return self._until - self._clock.monotonic()

    def begin(self) -> Request:
        """Return the request for the next try, with the time that is left for it.

        Raises:
            UnreachableError: there is none left.
        """
        if self._spoke:
            self._spoke = False
            self._emit(Retraction(str(self.errors[-1])))
        if self._request.seconds is None:
            return self._request
        remaining = self.remaining
        if remaining <= 0:
            raise UnreachableError(f"the {self._request.seconds:g} s for the call are over")
        return replace(self._request, seconds=remaining)

    def emit(self, piece: Piece) -> None:
        self._spoke = True
        self._emit(piece)

    def failure(self) -> BackendError:
        """Return the last error, with those before it as notes."""
        *earlier, last = self.errors
        for error in earlier:
            last.add_note(f"before that, {error.failure.backend}: {error}")
        return last
