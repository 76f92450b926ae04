"""A real model behind real servers, over every protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import pytest

from clawmesh.abc.backend import Backend, Reply, Request
from clawmesh.abc.context import Services
from clawmesh.agent.chain import Chain, Link, Patience
from clawmesh.clock import SystemClock
from clawmesh.errors import ContextOverflowError, NotFoundError, ServerError
from clawmesh.messages import Message, Piece, Text, ToolCall, ToolResult
from plugins.anthropic import anthropic
from plugins.ollama import ollama
from plugins.openai import openai
from tests.llama import llama, ollama_proxy

from .bridge import bridge
from .conversation import PIXEL, SCHEMA, WEATHER, request_with
from .provider import services

pytestmark = pytest.mark.anyio
PROTOCOLS = ("chat", "responses", "anthropic")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run on the loop of the executable only: the model takes its time."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def llama_url() -> Iterator[str]:
    with llama() as url:
        yield url


@pytest.fixture(scope="module")
def ollama_url(llama_url: str) -> Iterator[str]:
    with ollama_proxy(llama_url) as url:
        yield url


@pytest.fixture
async def host() -> AsyncIterator[Services]:
    async with services() as opened:
        yield opened


class Client:
    """A chain of one backend: this server closes connections which it says it keeps."""

    def __init__(self, backend: Backend, model: str = "model") -> None:
        patience = Patience(first=0.05)
        self.pieces: list[Piece] = []
        self._chain = Chain([Link("llama", backend, model)], SystemClock(), Random(1), patience=patience)

    async def ask(self, request: Request) -> Reply:
        return await self._chain.complete(request, self.pieces.append)

    @property
    def heard(self) -> str:
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Text))


def reach(protocol: str, host: Services, url: str) -> Backend:
    if protocol == "anthropic":
        return anthropic(host, base_url=url)
    return openai(host, base_url=f"{url}/v1", api="chat" if protocol == "chat" else "responses")


@pytest.fixture(params=PROTOCOLS)
def client(request: pytest.FixtureRequest, host: Services, llama_url: str) -> Client:
    return Client(reach(request.param, host, llama_url))


def asked_before(city: str, weather: str) -> tuple[Message, ...]:
    """Return an exchange that shows a small model how a tool is called."""
    call = ToolCall(f"call_{city}", "weather", json.dumps({"city": city}))
    result = ToolResult(call.id, "weather", (Text(weather),))
    return Message.user(f"What is the weather in {city}?"), Message("assistant", (call,)), Message("tool", (result,))


def weather_in_rome(tokens: int) -> Request:
    history = (*asked_before("Paris", "rain"), *asked_before("Oslo", "snow"), *asked_before("Berlin", "sun"))
    question = Message.user("What is the weather in Rome?")
    return request_with(*history, question, tools=(WEATHER,), max_tokens=tokens, temperature=0.0)


async def test_text(client: Client) -> None:
    reply = await client.ask(request_with(Message.user("Say hello."), max_tokens=6, temperature=0.0))
    assert reply.message.text == client.heard
    assert len(client.pieces) > 1
    assert reply.usage.output_tokens == 6
    assert reply.usage.total_tokens > 6


async def test_a_tool_call(client: Client) -> None:
    reply = await client.ask(weather_in_rome(40))
    (call,) = reply.message.calls
    assert (call.name, json.loads(call.arguments), reply.stop) == ("weather", {"city": "Rome"}, "tool_calls")
    assert call.id
    assert call in client.pieces


@pytest.mark.parametrize("tokens", [16, 18, 20])
async def test_arguments_that_the_limit_cuts_never_become_a_call(client: Client, tokens: int) -> None:
    reply = await client.ask(weather_in_rome(tokens))
    assert (reply.message.calls, reply.stop) == ((), "length")
    assert not any(isinstance(piece, ToolCall) for piece in client.pieces)


async def test_structured_output(host: Services, llama_url: str) -> None:
    client = Client(reach("chat", host, llama_url))
    question = request_with(Message.user("Rome is a city."), output_schema=SCHEMA, max_tokens=40, temperature=0.0)
    reply = await client.ask(question)
    assert set(json.loads(reply.message.text)) == {"city"}


async def test_errors(client: Client) -> None:
    with pytest.raises(ContextOverflowError, match="exceeds the available context size"):
        await client.ask(request_with(Message.user("word " * 5000), max_tokens=4))
    with pytest.raises(ServerError, match="image input is not supported"):
        await client.ask(request_with(Message("user", (PIXEL,)), max_tokens=4))


async def test_a_path_that_is_not_there(host: Services, llama_url: str) -> None:
    with pytest.raises(NotFoundError):
        await Client(openai(host, base_url=f"{llama_url}/elsewhere")).ask(request_with(Message.user("hi")))


async def test_ollama_text(host: Services, ollama_url: str) -> None:
    client = Client(ollama(host, base_url=ollama_url), "local/model")
    reply = await client.ask(request_with(Message.user("Say hello."), max_tokens=6, temperature=0.0))
    assert reply.message.text == client.heard
    assert len(client.pieces) > 1


async def test_ollama_structured_output(host: Services, ollama_url: str) -> None:
    client = Client(ollama(host, base_url=ollama_url), "local/model")
    question = request_with(Message.user("Rome is a city."), output_schema=SCHEMA, max_tokens=40, temperature=0.0)
    assert set(json.loads((await client.ask(question)).message.text)) == {"city"}


async def test_ollama_tool_call(host: Services, llama_url: str) -> None:
    async with bridge(f"{llama_url}/v1") as url:
        reply = await Client(ollama(host, base_url=url)).ask(weather_in_rome(40))
    (call,) = reply.message.calls
    assert (call.name, json.loads(call.arguments), reply.stop) == ("weather", {"city": "Rome"}, "tool_calls")
