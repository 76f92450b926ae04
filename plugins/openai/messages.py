"""Writes requests of the chat completions API.

Source: OpenAI API reference, "Create chat completion". A field that not every server knows is sent only where the
request asks for what it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from clawmesh.abc.backend import Request
from clawmesh.messages import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from clawmesh.provider.image import data_url
from clawmesh.provider.schema import closed, is_strict

from .options import Options

ANSWER = "answer"


def encode(options: Options, request: Request) -> bytes:
    """Return the body that asks for a stream with usage at its end."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": list(_messages(options.provider, request)),
        "stream": True,
        "stream_options": {"include_usage": True},
        options.limit: request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "reasoning_effort": request.reasoning or None,
        "stop": request.stop or None,
        "response_format": _response_format(request),
        # What keeps a session on one cache; other servers refuse the field or do not know it.
        "prompt_cache_key": (request.session or None) if options.official else None,
    }
    if request.tools:
        body |= _tools(request)
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None} | dict(options.body))


def _tools(request: Request) -> dict[str, Any]:
    tools = [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in request.tools
    ]
    choice = None if request.tool_choice == "auto" else request.tool_choice
    return {"tools": tools, "tool_choice": choice, "parallel_tool_calls": None if request.parallel_tools else False}


def _response_format(request: Request) -> dict[str, Any] | None:
    if request.output_schema is None:
        return None
    schema = closed(request.output_schema)
    return {"type": "json_schema", "json_schema": {"name": ANSWER, "schema": schema, "strict": is_strict(schema)}}


def _messages(provider: str, request: Request) -> Iterator[dict[str, Any]]:
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    for message in request.messages:
        if message.role == "assistant":
            yield from _assistant(provider, message)
        elif message.role == "tool":
            yield from _results(message.parts)
        elif content := _content(message.parts):
            yield {"role": message.role, "content": content}


def _content(parts: Iterable[Part]) -> str | list[dict[str, Any]]:
    """Return text alone as a string, which every server takes, and text with images as blocks."""
    shown: list[Text | Image] = []
    text: list[str] = []
    for part in parts:
        if isinstance(part, Text):
            text.append(part.text)
            shown.append(part)
        elif isinstance(part, Image):
            shown.append(part)
    return "".join(text) if len(text) == len(shown) else [_block(part) for part in shown]


def _block(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": data_url(part)}}


def _assistant(provider: str, message: Message) -> Iterator[dict[str, Any]]:
    fields: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for part in message.parts:
        if isinstance(part, Reasoning) and part.provider == provider and part.data:
            fields |= msgspec.json.decode(part.data)
        elif isinstance(part, Opaque) and part.provider == provider:
            extras |= msgspec.json.decode(part.data)
    calls = [_call(call, extras.get("calls", {}).get(call.id)) for call in message.calls]
    content: Any = message.text or None
    if thinking := fields.pop("thinking", None):
        blocks = [{"type": "thinking", "thinking": [{"type": "text", "text": thinking}]}]
        content = [*blocks, {"type": "text", "text": message.text}] if message.text else blocks
    if not content and not calls:
        return
    fields |= {"role": "assistant", "content": content}
    fields |= {"tool_calls": calls} if calls else {}
    fields |= {"extra_content": extras["extra_content"]} if "extra_content" in extras else {}
    yield fields


def _call(call: ToolCall, extra: Any) -> dict[str, Any]:
    value = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    return value | {"extra_content": extra} if extra else value


def _results(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    """Yield a message for each result, and one with the images, which the tool role does not take."""
    images: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.call, "content": part.text}
            shown = [image for image in part.content if isinstance(image, Image)]
            images += [Text(f"Images from {part.name} ({part.call}):"), *shown] if shown else []
    if images:
        yield {"role": "user", "content": _content(images)}
