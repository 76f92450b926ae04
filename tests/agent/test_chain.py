from __future__ import annotations

import random

import anyio
import pytest

from clawmesh.abc.backend import Backend, Emit, Reply, Request
from clawmesh.agent.chain import Chain, Link, Setback
from clawmesh.clock import SystemClock
from clawmesh.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    Failure,
    OverloadedError,
    QuotaError,
    RateLimitError,
    Recourse,
    TruncatedReplyError,
)
from clawmesh.messages import Message, Piece, Retraction, Text
from clawmesh.testing import RehearsedBackend, said

pytestmark = pytest.mark.anyio
NOW = Failure(retry_after=0.0)


def busy() -> OverloadedError:
    return OverloadedError("busy", NOW)


async def play(*backends: Backend, seconds: float | None = None) -> tuple[Reply, list[Piece], list[Setback]]:
    pieces: list[Piece] = []
    setbacks: list[Setback] = []
    links = [Link(name, backend, f"model-{name}") for name, backend in zip("abc", backends, strict=False)]
    chain = Chain(links, SystemClock(), random.Random(0), setbacks.append)
    request = Request(model="", messages=(Message.user("hi"),), seconds=seconds)
    return await chain.complete(request, pieces.append), pieces, setbacks


async def test_the_first_backend_answers() -> None:
    first, second = RehearsedBackend(said("one")), RehearsedBackend()
    reply, pieces, setbacks = await play(first, second)
    assert reply.message.text == "one"
    assert first.requests[0].model == "model-a"
    assert (pieces, setbacks, second.requests) == ([Text("one")], [], [])


async def test_a_passing_fault_is_tried_again() -> None:
    backend = RehearsedBackend(busy(), busy(), said("at last"))
    reply, _, setbacks = await play(backend)
    assert reply.message.text == "at last"
    assert [setback.recourse for setback in setbacks] == [Recourse.RETRY, Recourse.RETRY]
    assert setbacks[0].error.failure.backend == "a"


async def test_after_some_tries_the_next_backend_answers() -> None:
    first, second = RehearsedBackend(*[busy() for _ in range(4)]), RehearsedBackend(said("two"))
    reply, _, _ = await play(first, second)
    assert reply.message.text == "two"
    assert len(first.requests) == 4
    assert second.requests[0].model == "model-b"


@pytest.mark.parametrize("error", [AuthenticationError("no key"), QuotaError("spent")])
async def test_what_trying_again_cannot_mend_falls_back_at_once(error: BackendError) -> None:
    first, second = RehearsedBackend(error), RehearsedBackend(said("two"))
    reply, _, _ = await play(first, second)
    assert reply.message.text == "two"
    assert len(first.requests) == 1


async def test_a_wrong_request_is_wrong_everywhere() -> None:
    first, second = RehearsedBackend(BadRequestError("bad")), RehearsedBackend(said("two"))
    with pytest.raises(BadRequestError, match="bad"):
        await play(first, second)
    assert second.requests == []


async def test_the_provider_overrules_the_type() -> None:
    failure = Failure(retry_after=0.0, recourse=Recourse.RETRY)
    reply, _, _ = await play(RehearsedBackend(AuthenticationError("flaky", failure), said("ok")))
    assert reply.message.text == "ok"
    never = RehearsedBackend(OverloadedError("no", Failure(recourse=Recourse.FALLBACK)))
    with pytest.raises(OverloadedError):
        await play(never)
    assert len(never.requests) == 1


async def test_a_long_retry_after_goes_to_the_fallback_at_once() -> None:
    first = RehearsedBackend(RateLimitError("later", Failure(retry_after=3600.0)))
    reply, _, _ = await play(first, RehearsedBackend(said("two")))
    assert reply.message.text == "two"


async def test_no_wait_goes_past_the_deadline() -> None:
    backend = RehearsedBackend(RateLimitError("later", Failure(retry_after=30.0)))
    with pytest.raises(RateLimitError, match="later"):
        await play(backend, seconds=5.0)
    assert len(backend.requests) == 1


async def test_when_all_fail_the_error_tells_of_each() -> None:
    first, second = RehearsedBackend(QuotaError("spent")), RehearsedBackend(AuthenticationError("no key"))
    with pytest.raises(AuthenticationError, match="no key") as raised:
        await play(first, second)
    assert raised.value.failure.backend == "b"
    assert raised.value.__notes__ == ["before that, a: spent"]


async def test_pieces_of_a_lost_try_are_retracted() -> None:
    class Breaking:
        async def complete(self, _request: Request, emit: Emit) -> Reply:
            emit(Text("half an ans"))
            await anyio.lowlevel.checkpoint()
            raise TruncatedReplyError("the stream ended early", NOW)

    _, pieces, _ = await play(Breaking(), RehearsedBackend(said("whole")))
    halves = [Text("half an ans"), Retraction("the stream ended early")]
    assert pieces == [*halves * 4, Text("whole")]
