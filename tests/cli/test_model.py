"""The executable with a real model behind it, over every protocol: text, and a tool call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio.to_thread
import pytest

from tests.cli.conftest import Person
from tests.llama import llama, ollama_proxy
from tests.plugins.bridge import bridge

CONFIG = """
[backends.chat]
type = "openai"
base_url = "{llama}/v1"
api = "chat"

[backends.responses]
type = "openai"
base_url = "{llama}/v1"
api = "responses"

[backends.anthropic]
type = "anthropic"
base_url = "{llama}"

[backends.ollama]
type = "ollama"
base_url = "{ollama}"

[defaults]
model = "local/model"
temperature = 0.0
max_tokens = 40
limits = {{ steps = 1 }}
"""
AGENTS = """
[agents.{name}_talker]
backend = "{name}"
max_tokens = 8

[agents.{name}_caller]
backend = "{name}"
tools = ["weather"]
"""
PROTOCOLS = ("chat", "responses", "anthropic", "ollama")

# So small a model calls a tool when it has just seen how that is done.
PLUGIN = '''
from msgspec.structs import replace

from clawmesh import Message, Text, ToolCall, ToolResult, tool


@tool(effect="pure")
def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"sunny in {city}"


def shown(city, sky):
    call = ToolCall(f"call_{city}", "weather", f'{{"city": "{city}"}}')
    result = ToolResult(call.id, "weather", (Text(sky),))
    return Message.user(f"What is the weather in {city}?"), Message("assistant", (call,)), Message("tool", (result,))


def before_model(agent, request):
    if agent.endswith("_caller"):
        shots = (*shown("Paris", "rain"), *shown("Oslo", "snow"), *shown("Berlin", "sun"))
        return replace(request, messages=(*shots, *request.messages))


def register_tools():
    return {"weather": weather}
'''


@pytest.fixture(scope="module")
def llama_url() -> Iterator[str]:
    with llama() as url:
        yield url


def furnish(person: Person, llama_url: str, ollama_url: str) -> None:
    agents = "".join(AGENTS.format(name=name) for name in PROTOCOLS)
    (person.folder / "clawmesh.toml").write_text(CONFIG.format(llama=llama_url, ollama=ollama_url) + agents)
    (person.folder / "plugins").mkdir(mode=0o755)
    (person.folder / "plugins" / "shots.py").write_text(PLUGIN)
    person.run("plugins", "trust", "shots")


@pytest.fixture
def talk(person: Person, llama_url: str) -> Iterator[Person]:
    with ollama_proxy(llama_url) as ollama_url:
        furnish(person, llama_url, ollama_url)
        yield person


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_answers(talk: Person, protocol: str) -> None:
    answer = talk.json("ask", f"{protocol}_talker", "Say hello.")
    assert answer["text"].strip()
    assert answer["backend"] == protocol
    assert answer["usage"]["output_tokens"] <= 8


@pytest.mark.parametrize("protocol", ["chat", "responses", "anthropic"])
def test_a_model_calls_a_tool(person: Person, llama_url: str, protocol: str) -> None:
    furnish(person, llama_url, llama_url)
    check_call(person, protocol)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_model_calls_a_tool_over_ollama_s_protocol(person: Person, llama_url: str, anyio_backend: str) -> None:
    async with bridge(f"{llama_url}/v1") as ollama_url:
        furnish(person, llama_url, ollama_url)
        await anyio.to_thread.run_sync(partial(check_call, person, "ollama"))


def check_call(person: Person, protocol: str) -> None:
    """Ask for what the tool knows; the one model call that is allowed is the one that calls it."""
    done = person.run("--json", "ask", f"{protocol}_caller", "What is the weather in Rome?", code=3)
    answer: dict[str, Any] = json.loads(done.stdout)
    (call,) = answer["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Rome"})
    assert call["result"] == "sunny in Rome"
    assert answer["error"]["type"] == "LimitError"
