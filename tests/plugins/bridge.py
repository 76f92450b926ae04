"""Ollama's chat API with tool calls, in front of a server of chat completions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import openai

from tests.http.peer import Talk, serve


@asynccontextmanager
async def bridge(url: str) -> AsyncIterator[str]:
    """Yield the URL of the bridge to `url`; it takes and gives what Ollama's API reference says."""
    client = openai.AsyncOpenAI(base_url=url, api_key="none")

    async def script(talk: Talk) -> None:
        try:
            body = json.loads((await talk.request()).partition(b"\r\n\r\n")[2])
            lines = await answer(client, body)
            await talk.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", *lines)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            pass  # a connection that nobody used

    async with client, serve(script) as peer:
        yield peer.url


async def answer(client: openai.AsyncOpenAI, body: dict[str, Any]) -> list[bytes]:
    settings = body.get("options") or {}
    said = await client.chat.completions.create(
        model=body["model"],
        messages=[chat_message(message) for message in body["messages"]],  # type: ignore[misc]  # plain dictionaries
        tools=body["tools"],
        max_tokens=settings["num_predict"],
        temperature=settings["temperature"],
    )
    choice = said.choices[0]
    functions = [call.function for call in choice.message.tool_calls or () if call.type == "function"]
    calls = [
        {"function": {"name": function.name, "arguments": json.loads(function.arguments)}} for function in functions
    ]
    message = {"role": "assistant", "content": choice.message.content or "", "tool_calls": calls}
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1}
    lines = [{"message": message, "done": False}, {"message": {"role": "assistant", "content": ""}, **end}]
    return [json.dumps({"model": body["model"], **line}).encode() + b"\n" for line in lines]


def chat_message(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] == "tool":
        return {"role": "tool", "tool_call_id": message["tool_name"], "content": message["content"]}
    if calls := message.get("tool_calls"):
        functions = [call["function"] for call in calls]
        texts = [{**function, "arguments": json.dumps(function["arguments"])} for function in functions]
        said = [{"id": function["name"], "type": "function", "function": function} for function in texts]
        return {"role": "assistant", "content": message["content"], "tool_calls": said}
    return message
