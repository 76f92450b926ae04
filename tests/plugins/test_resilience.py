"""A provider that fails by script, and its verdict on how we took it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock

from clawmesh.abc.backend import Backend, Reply, Request
from clawmesh.abc.context import Services
from clawmesh.abc.tool import ToolSpec
from clawmesh.agent.chain import Chain, Link, Patience
from clawmesh.clock import SystemClock
from clawmesh.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ContextOverflowError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ReplyError,
    ServerError,
    TruncatedReplyError,
    UnreachableError,
)
from clawmesh.messages import Message, Piece, Retraction, Text
from clawmesh.secret import Secret
from plugins.anthropic import anthropic
from plugins.openai import openai

from .provider import services

pytestmark = pytest.mark.anyio
PROTOCOLS = ("chat", "responses", "anthropic")
WEATHER = ToolSpec(
    "get_weather",
    "Weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run on the loop of the executable only: these tests wait for real, and what they try knows no loop."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def host() -> AsyncIterator[Services]:
    async with services() as opened:
        yield opened


class Client:
    """A chain of one backend, what it passed on and what went wrong on the way."""

    def __init__(self, backend: Backend) -> None:
        patience = Patience(first=0.08, longest=0.5, limit=10.0)
        self.errors: list[BackendError] = []
        self.pieces: list[Piece] = []
        self._chain = Chain(
            [Link("mock", backend, "gpt-5")],
            SystemClock(),
            Random(1),
            lambda step: self.errors.append(step.error),
            patience,
        )

    @property
    def heard(self) -> str:
        """The text that stands, which is what came after the last retraction."""
        heard = ""
        for piece in self.pieces:
            heard = "" if isinstance(piece, Retraction) else heard + piece.text if isinstance(piece, Text) else heard
        return heard

    async def ask(self, text: str = "Tell me about the sea.", *tools: ToolSpec) -> Reply:
        request = Request(model="", messages=(Message.user(text),), tools=tools, max_tokens=400, seconds=20.0)
        return await self._chain.complete(request, self.pieces.append)


@pytest.fixture(params=PROTOCOLS)
def client(request: pytest.FixtureRequest, llmock: LLMock, host: Services) -> Client:
    if request.param == "anthropic":
        return Client(anthropic(host, base_url=llmock.base_url("anthropic"), api_key=Secret("k"), silence=1.0))
    return Client(openai(host, base_url=llmock.base_url("openai"), api_key=Secret("k"), api=request.param, silence=1.0))


async def test_an_answer(client: Client, llmock: LLMock) -> None:
    llmock.reply("The sea is deep.")
    reply = await client.ask()
    assert reply.message.text == "The sea is deep."
    assert reply.usage.output_tokens > 0
    assert client.heard == reply.message.text
    llmock.assert_resilient(strict=True)


async def test_rate_limits_are_waited_for(client: Client, llmock: LLMock) -> None:
    llmock.rate_limit(times=2, retry_after=0.4)
    assert (await client.ask()).message.text
    assert [type(error) for error in client.errors] == [RateLimitError] * 2
    assert [error.failure.retry_after for error in client.errors] == [0.4] * 2
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
async def test_passing_failures_are_tried_again(client: Client, llmock: LLMock, status: int) -> None:
    llmock.fail(status, retry_after=0.1)
    assert (await client.ask()).message.text
    assert [error.failure.status for error in client.errors] == [status]
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (413, BadRequestError),
        (422, BadRequestError),
    ],
)
async def test_what_cannot_pass_is_not_tried_again(
    client: Client, llmock: LLMock, status: int, kind: type[BackendError]
) -> None:
    llmock.fail(status)
    with pytest.raises(kind):
        await client.ask()
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


async def test_an_outage_ends_after_a_few_tries(client: Client, llmock: LLMock) -> None:
    llmock.fail(500, times=None)
    with pytest.raises(ServerError):
        await client.ask()
    assert len(llmock.requests) == 4
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("chunks", [0, 1, 3])
async def test_a_stream_that_ends_early_is_no_answer(client: Client, llmock: LLMock, chunks: int) -> None:
    llmock.truncate(after_chunks=chunks)
    reply = await client.ask()
    assert [type(error) for error in client.errors] == [TruncatedReplyError]
    assert client.heard == reply.message.text
    llmock.assert_resilient(strict=True)


async def test_a_stream_that_always_ends_early_is_an_error(client: Client, llmock: LLMock) -> None:
    llmock.truncate(after_chunks=2, times=None)
    with pytest.raises(TruncatedReplyError, match="the stream ended without"):
        await client.ask()


async def test_a_connection_lost_in_mid_answer(client: Client, llmock: LLMock) -> None:
    llmock.disconnect(after_chunks=3)
    assert (await client.ask()).message.text
    assert [type(error) for error in client.errors] == [UnreachableError]
    llmock.assert_resilient(strict=True)


async def test_a_chunk_that_is_no_json(client: Client, llmock: LLMock) -> None:
    llmock.corrupt(after_chunks=3)
    assert (await client.ask()).message.text
    assert [type(error) for error in client.errors] == [ReplyError]
    # Not strictly: where the server has written its whole answer before we hang up, it takes our retry for a new call.
    llmock.assert_resilient()


async def test_silence_in_mid_answer(client: Client, llmock: LLMock) -> None:
    llmock.stall(seconds=5.0)
    assert (await client.ask()).message.text
    assert [type(error) for error in client.errors] == [UnreachableError]
    assert "nothing arrived for 1 s" in str(client.errors[0])
    llmock.assert_resilient(strict=True)


async def test_a_prompt_too_long_is_told_from_other_bad_requests(llmock: LLMock, host: Services) -> None:
    llmock.context_overflow()
    with pytest.raises(ContextOverflowError):
        await Client(openai(host, base_url=llmock.base_url("openai"), api="chat")).ask()


async def test_a_tool_call(client: Client, llmock: LLMock) -> None:
    llmock.call_tool("get_weather", {"city": "Paris"})
    reply = await client.ask("What is the weather in Paris?", WEATHER)
    assert reply.stop == "tool_calls"
    (call,) = reply.message.calls
    assert (call.name, call.arguments.replace(" ", "")) == ("get_weather", '{"city":"Paris"}')
    assert client.pieces[-1] == call


async def test_a_tool_call_lost_in_mid_arguments_never_shows(client: Client, llmock: LLMock) -> None:
    llmock.call_tool("get_weather", {"city": "Llanfairpwllgwyngyll"}).truncate(after_chunks=4, times=None)
    with pytest.raises(TruncatedReplyError):
        await client.ask("What is the weather there?", WEATHER)
    assert not any(hasattr(piece, "arguments") for piece in client.pieces)
