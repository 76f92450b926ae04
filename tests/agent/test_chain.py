"""Retries, fallbacks, and what a caller sees of them."""

from __future__ import annotations

from random import Random

import pytest

from clawmesh.abc.backend import Backend, Reply, Request
from clawmesh.agent.chain import Chain, Link, Patience, Setback
from clawmesh.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    Failure,
    OverloadedError,
    QuotaError,
    RateLimitError,
    Recourse,
    ServerError,
    TruncatedReplyError,
    UnreachableError,
)
from clawmesh.messages import Emit, Piece, Retraction, Text
from clawmesh.testing import ManualClock, RehearsedBackend, said

pytestmark = pytest.mark.anyio
REQUEST = Request(model="m", messages=())
QUICK = Patience(tries=3, first=0.001, longest=0.004)


def chain(*backends: Backend, setbacks: list[Setback] | None = None, patience: Patience = QUICK) -> Chain:
    links = [Link(f"b{number}", backend, f"m{number}") for number, backend in enumerate(backends, 1)]
    report = setbacks.append if setbacks is not None else None
    return Chain(links, ManualClock(), Random(7), report, patience)


def ignore(piece: Piece) -> None:
    pass


class Stuttering:
    """Says a word and breaks off, as often as told; then says it all."""

    def __init__(self, failures: int) -> None:
        self._failures = failures

    async def complete(self, request: Request, emit: Emit) -> Reply:
        emit(Text("hel"))
        if self._failures:
            self._failures -= 1
            raise TruncatedReplyError("cut")
        emit(Text("lo"))
        return said("hello")


class Slow:
    """Lets time pass and fails."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.given: list[float | None] = []

    async def complete(self, request: Request, emit: Emit) -> Reply:
        self.given.append(request.seconds)
        self._clock.advance(self._seconds)
        raise ServerError("slow and broken")


@pytest.mark.parametrize(
    "error", [RateLimitError("r"), OverloadedError("o"), TruncatedReplyError("t"), UnreachableError("u")]
)
async def test_what_may_pass_is_tried_again(error: BackendError) -> None:
    backend = RehearsedBackend(error, error, said("at last"))
    reply = await chain(backend).complete(REQUEST, ignore)
    assert reply.message.text == "at last"
    assert len(backend.requests) == 3


@pytest.mark.parametrize("error", [QuotaError("q"), AuthenticationError("a"), ContextOverflowError("c")])
async def test_what_stays_goes_to_the_next_backend_at_once(error: BackendError) -> None:
    first, second = RehearsedBackend(error), RehearsedBackend(said("other"))
    reply = await chain(first, second).complete(REQUEST, ignore)
    assert reply.message.text == "other"
    assert len(first.requests) == 1


async def test_a_bad_request_is_bad_everywhere() -> None:
    first, second = RehearsedBackend(BadRequestError("no such field")), RehearsedBackend(said("never"))
    with pytest.raises(BadRequestError, match="no such field") as caught:
        await chain(first, second).complete(REQUEST, ignore)
    assert caught.value.failure.backend == "b1"
    assert not second.requests


async def test_the_provider_overrules_the_type() -> None:
    stay = RateLimitError("not now", Failure(recourse=Recourse.FALLBACK))
    again = BadRequestError("timed out reading", Failure(status=408, recourse=Recourse.RETRY))
    first, second = RehearsedBackend(stay), RehearsedBackend(again, said("ok"))
    assert (await chain(first, second).complete(REQUEST, ignore)).message.text == "ok"
    assert (len(first.requests), len(second.requests)) == (1, 2)


async def test_the_last_error_names_its_backend_and_those_before_it() -> None:
    first, second = RehearsedBackend(QuotaError("no money")), RehearsedBackend(AuthenticationError("no key"))
    with pytest.raises(AuthenticationError, match="no key") as caught:
        await chain(first, second).complete(REQUEST, ignore)
    assert caught.value.failure.backend == "b2"
    assert caught.value.__notes__ == ["before that, b1: no money"]


async def test_waits_grow_and_are_seen() -> None:
    setbacks: list[Setback] = []
    backend = RehearsedBackend(ServerError("1"), ServerError("2"), ServerError("3"))
    with pytest.raises(ServerError, match="3"):
        await chain(backend, setbacks=setbacks).complete(REQUEST, ignore)
    first, second, last = setbacks
    assert 0.00075 <= first.wait <= 0.001
    assert 0.0015 <= second.wait <= 0.002
    assert [setback.recourse for setback in setbacks] == [Recourse.RETRY, Recourse.RETRY, Recourse.NONE]
    assert [setback.error.failure.backend for setback in setbacks] == ["b1"] * 3
    assert [str(setback.error) for setback in setbacks] == ["b1: 1", "b1: 2", "b1: 3"]
    assert last.wait == 0.0


def test_backoff_starts_at_half_a_second_and_ends_at_eight() -> None:
    waits = [Patience().backoff(tries, Random(1)) for tries in range(1, 9)]
    assert 0.375 <= waits[0] <= 0.5
    assert 6.0 <= waits[-1] <= 8.0


async def test_retry_after_is_honoured() -> None:
    setbacks: list[Setback] = []
    limited = RateLimitError("wait", Failure(retry_after=0.02))
    await chain(RehearsedBackend(limited, said("ok")), setbacks=setbacks).complete(REQUEST, ignore)
    assert setbacks[0].wait >= 0.02


@pytest.mark.parametrize(("seconds", "asked"), [(10.0, 11.0), (None, 3600.0)])
async def test_retry_after_beyond_the_time_left_falls_back_at_once(seconds: float | None, asked: float) -> None:
    limited = RateLimitError("wait", Failure(retry_after=asked))
    first, second = RehearsedBackend(limited), RehearsedBackend(said("other"))
    request = Request(model="m", messages=(), seconds=seconds)
    assert (await chain(first, second).complete(request, ignore)).message.text == "other"
    assert len(first.requests) == 1
    assert [backend.requests[0].model for backend in (first, second)] == ["m1", "m2"]


async def test_no_try_begins_when_the_time_is_over() -> None:
    clock = ManualClock()
    slow = Slow(clock, 6.0)
    links = [Link(name, slow, "m") for name in ("slow", "spare", "third")]
    once = Patience(tries=1)
    with pytest.raises(UnreachableError, match="the 10 s for the call are over") as caught:
        await Chain(links, clock, Random(1), patience=once).complete(
            Request(model="", messages=(), seconds=10.0), ignore
        )
    assert slow.given == [10.0, 4.0]
    assert caught.value.failure.backend == "third"


async def test_pieces_of_a_broken_try_are_retracted() -> None:
    pieces: list[Piece] = []
    reply = await chain(Stuttering(1)).complete(REQUEST, pieces.append)
    assert pieces == [Text("hel"), Retraction("b1: cut"), Text("hel"), Text("lo")]
    assert reply.message.text == "hello"


async def test_pieces_are_retracted_on_the_way_to_the_next_backend() -> None:
    pieces: list[Piece] = []
    await chain(Stuttering(9), Stuttering(0), patience=Patience(tries=1)).complete(REQUEST, pieces.append)
    assert pieces == [Text("hel"), Retraction("b1: cut"), Text("hel"), Text("lo")]


async def test_a_silent_failure_retracts_nothing() -> None:
    pieces: list[Piece] = []
    await chain(RehearsedBackend(ServerError("x"), said("fine"))).complete(REQUEST, pieces.append)
    assert not any(isinstance(piece, Retraction) for piece in pieces)
