"""The mock provider, asked as a backend asks a real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from clawmesh.bench.provider import provider, serve
from clawmesh.http.headers import Headers
from clawmesh.http.lines import EventStream
from clawmesh.http.target import Target
from clawmesh.http.transport import open_transport

pytestmark = pytest.mark.anyio

TOOLS = [{"type": "function", "function": {"name": "clock", "parameters": {}}}]
USER = [{"role": "user", "content": "hello"}]


class Reply:
    """Keeps a response, cut into events."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.events: list[bytes] = []
        self._stream = EventStream(lambda kind, data: self.events.append(data))

    def head(self, status: int, headers: Headers) -> None:
        self.status = status

    def feed(self, data: bytes) -> None:
        self.body += data
        self._stream.feed(data)


async def ask(*queries: Mapping[str, Any]) -> Reply:
    """Return the answer to the last of the queries, all asked on one connection."""
    async with serve() as port, open_transport() as transport:
        target = Target.parse(f"http://127.0.0.1:{port}/v1/chat/completions")
        for query in queries:
            reply = Reply()
            await transport.exchange(target, msgspec.json.encode(query), reply)
    return reply


@pytest.mark.parametrize(("model", "chunks"), [("1x0", 1), ("7x0", 7), ("1x1", 1), ("12x1", 12)])
async def test_stream(model: str, chunks: int) -> None:
    query = {"model": model, "stream": True, "messages": USER}
    reply = await ask(query, query)
    *parts, last, done = reply.events
    texts = [msgspec.json.decode(part)["choices"][0]["delta"]["content"] for part in parts]
    assert len(texts) == chunks
    assert sorted(texts, key=int) == texts
    assert msgspec.json.decode(last)["choices"][0]["finish_reason"] == "stop"
    assert done == b"[DONE]"


async def test_a_crowd_is_answered_when_all_are_there() -> None:
    async with serve() as port, open_transport() as transport:
        target = Target.parse(f"http://127.0.0.1:{port}/v1/chat/completions")
        replies = [Reply() for _ in range(3)]
        query = msgspec.json.encode({"model": "all:3", "stream": True, "messages": USER})
        async with anyio.create_task_group() as tasks:
            for reply in replies[:2]:
                tasks.start_soon(transport.exchange, target, query, reply)
            while not all(reply.status for reply in replies[:2]):
                await anyio.lowlevel.checkpoint()
            assert [reply.events for reply in replies] == [[], [], []]
            tasks.start_soon(transport.exchange, target, query, replies[2])
    assert [reply.events[-1] for reply in replies] == [b"[DONE]"] * 3


async def test_whole() -> None:
    reply = await ask({"model": "3x1", "messages": USER})
    answer = msgspec.json.decode(reply.body)
    assert len(answer["choices"][0]["message"]["content"].split()) == 3
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("stop", 3)


@pytest.mark.parametrize("stream", [True, False])
async def test_tool_is_called_until_there_is_its_result(stream: bool) -> None:
    query = {"model": "tool:2x0", "stream": stream, "tools": TOOLS, "messages": USER}
    called = await ask(query)
    said = await ask(query | {"messages": [*USER, {"role": "tool", "content": "noon", "tool_call_id": "call_1"}]})
    assert b'"name":"clock"' in called.body
    assert b'"tool_calls"' in called.body
    assert b'"clock"' not in said.body
    assert b'"stop"' in said.body


async def test_tool_model_without_tools_talks() -> None:
    assert b'"stop"' in (await ask({"model": "tool:1x0", "stream": True, "messages": USER})).body


@pytest.mark.parametrize("query", [{"model": "gpt", "messages": USER}, {"model": "1x0"}])
async def test_refusal(query: Mapping[str, Any]) -> None:
    reply = await ask(query)
    assert reply.status == (404 if "messages" in query else 400)
    assert msgspec.json.decode(reply.body)["error"]["type"] == "invalid_request_error"


def test_process_of_its_own() -> None:
    with provider() as url:
        assert url.startswith("http://127.0.0.1:")
