"""Writes requests of Ollama's chat API; source: Ollama API reference, "Generate a chat message"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from clawmesh.abc.backend import Request
from clawmesh.errors import BadRequestError
from clawmesh.messages import Image, Message, Part, Reasoning, ToolCall, ToolResult
from clawmesh.provider.assembly import as_object
from clawmesh.provider.image import base64

from .options import Options

SWITCHES: dict[str, Any] = {"": None, "none": False, "on": True}


def encode(options: Options, request: Request) -> bytes:
    """Return the body that asks for a stream. The API knows no forced and no single tool call.

    Raises:
        BadRequestError: an image is given by its URL.
    """
    settings = {
        "num_ctx": options.num_ctx,
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop or None,
    }
    body: dict[str, Any] = {
        "model": request.model,
        "messages": list(_messages(options.provider, request)),
        "stream": True,
        "options": {name: value for name, value in settings.items() if value is not None} or None,
        "think": SWITCHES.get(request.reasoning, request.reasoning),
        "format": request.output_schema,
        "keep_alive": options.keep_alive,
        "tools": _tools(request) or None,
    }
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None} | dict(options.body))


def _tools(request: Request) -> list[dict[str, Any]]:
    if request.tool_choice == "none":
        return []
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in request.tools
    ]


def _messages(provider: str, request: Request) -> Iterator[dict[str, Any]]:
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    for message in request.messages:
        if message.role == "assistant":
            yield from _assistant(provider, message)
        elif message.role == "tool":
            yield from map(_result, (part for part in message.parts if isinstance(part, ToolResult)))
        else:
            yield {"role": message.role, "content": message.text, **_images(message.parts)}


def _assistant(provider: str, message: Message) -> Iterator[dict[str, Any]]:
    fields: dict[str, Any] = {}
    for part in message.parts:
        if isinstance(part, Reasoning) and part.provider == provider and part.data:
            fields |= msgspec.json.decode(part.data)
    calls = [_call(call) for call in message.calls]
    if message.text or calls:
        yield {"role": "assistant", "content": message.text, **fields, **({"tool_calls": calls} if calls else {})}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": as_object(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _result(result: ToolResult) -> dict[str, Any]:
    named = {"tool_name": result.name, "tool_call_id": result.call}
    return {"role": "tool", "content": result.text, **named, **_images(result.content)}


def _images(parts: Iterable[Part]) -> dict[str, Any]:
    images = [part for part in parts if isinstance(part, Image)]
    if any(image.url for image in images):
        raise BadRequestError("Ollama takes images by value only, not by URL")
    return {"images": [base64(image) for image in images]} if images else {}
