"""Writes requests of the Messages API.

Source: Anthropic API reference, "Create a message". Nothing is sent that a model may refuse and the request does not
ask for: temperature above all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from clawmesh.abc.backend import Request
from clawmesh.messages import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from clawmesh.provider.assembly import as_object
from clawmesh.provider.image import base64
from clawmesh.provider.schema import closed

from .options import Options

CACHED = {"cache_control": {"type": "ephemeral"}}
UNMARKED = frozenset({"thinking", "redacted_thinking"})
CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def encode(options: Options, request: Request) -> bytes:
    """Return the body that asks for a stream."""
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or options.max_tokens,
        "messages": _messages(options, request.messages),
        "stream": True,
        "system": _system(options, request) or None,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop_sequences": request.stop or None,
        "thinking": _thinking(options, request),
        "output_config": _output(request) or None,
    }
    if request.tools:
        body |= _tools(options, request)
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None} | dict(options.body))


def _thinking(options: Options, request: Request) -> dict[str, Any] | None:
    """Return how to think. A forced tool call and thinking exclude each other; the call is what was asked for."""
    if not request.reasoning or request.tool_choice == "required":
        return None
    if request.reasoning == "none":
        return {"type": "disabled"}
    if options.thinking_budget:
        return {"type": "enabled", "budget_tokens": options.thinking_budget}
    return {"type": "adaptive"}


def _output(request: Request) -> dict[str, Any]:
    effort = {"effort": request.reasoning} if request.reasoning not in ("", "none") else {}
    if request.output_schema is None:
        return effort
    return effort | {"format": {"type": "json_schema", "schema": closed(request.output_schema)}}


def _system(options: Options, request: Request) -> list[dict[str, Any]]:
    texts = [request.instructions, *(message.text for message in request.messages if message.role == "system")]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts if text]
    return _marked(options, blocks)


def _tools(options: Options, request: Request) -> dict[str, Any]:
    tools: list[dict[str, Any]] = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in request.tools
    ]
    choice: dict[str, Any] = {"type": CHOICES[request.tool_choice]}
    if not request.parallel_tools and request.tool_choice != "none":
        choice["disable_parallel_tool_use"] = True
    asked = {"tool_choice": choice} if choice != {"type": "auto"} else {}
    # A mark covers everything before it, tools before system; it belongs on the last that never changes.
    return {"tools": tools if request.instructions else _marked(options, tools), **asked}


def _messages(options: Options, messages: Sequence[Message]) -> list[dict[str, Any]]:
    written = [entry for message in messages for entry in _message(options.provider, message)]
    if written:
        # The next request of this session begins with these messages: it finds all of them in the cache.
        written[-1] = written[-1] | {"content": _marked(options, written[-1]["content"])}
    return written


def _marked(options: Options, blocks: list[Any]) -> list[Any]:
    if not options.cache or not blocks or not isinstance(blocks[-1], dict) or str(blocks[-1].get("type")) in UNMARKED:
        return blocks
    return [*blocks[:-1], blocks[-1] | CACHED]


def _message(provider: str, message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "system":
        return
    blocks = (
        list(_turn(provider, message.parts))
        if message.role == "assistant"
        else list(map(_block, _shown(message.parts)))
    )
    if blocks:
        yield {"role": "assistant" if message.role == "assistant" else "user", "content": blocks}


def _shown(parts: Iterable[Part]) -> Iterator[Text | Image | ToolResult]:
    """Yield what a user's message may hold; an empty text is refused."""
    for part in parts:
        if isinstance(part, Image | ToolResult) or (isinstance(part, Text) and part.text):
            yield part


def _block(part: Text | Image | ToolResult) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(url=url) if url:
            return {"type": "image", "source": {"type": "url", "url": url}}
        case Image(media_type):
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": base64(part)}}
        case ToolResult(call, failed=failed):
            content = [_block(piece) for piece in _shown(part.content) if not isinstance(piece, ToolResult)]
            error = {"is_error": True} if failed else {}
            return {"type": "tool_result", "tool_use_id": call, "content": content, **error}


def _turn(provider: str, parts: Iterable[Part]) -> Iterator[Any]:
    """Yield the blocks of an assistant's message, each with its frame where this server gave one."""
    frame: dict[str, Any] = {}
    for part in parts:
        match part:
            case Text(text) if text:
                yield (frame if frame.get("type") == "text" else {}) | {"type": "text", "text": text}
            case ToolCall(id, name, arguments):
                extra = frame if frame.get("type") == "tool_use" else {}
                yield extra | {"type": "tool_use", "id": id, "name": name, "input": as_object(arguments)}
            case Reasoning() | Opaque() if part.provider == provider and part.data:
                value = msgspec.json.decode(part.data)
                if isinstance(part, Opaque) and value.get("type") in ("text", "tool_use"):
                    frame = value
                    continue
                yield value
        frame = {}
