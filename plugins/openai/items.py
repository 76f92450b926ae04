"""Writes requests of the Responses API.

Source: OpenAI API reference, "Create a model response". Nothing is stored with the provider: what a model thought comes
back encrypted and is given back with what followed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from clawmesh.abc.backend import Request
from clawmesh.messages import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from clawmesh.provider.image import data_url
from clawmesh.provider.schema import closed, is_strict

from .item import Item, filled
from .messages import ANSWER
from .options import Options


def encode(options: Options, request: Request) -> bytes:
    """Return the body that asks for a stream."""
    body: dict[str, Any] = {
        "model": request.model,
        "instructions": request.instructions or None,
        "input": list(_input(options.provider, request.messages)),
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "reasoning": {"effort": request.reasoning} if request.reasoning else None,
        "text": _format(request),
        "prompt_cache_key": (request.session or None) if options.official else None,
    }
    if request.tools:
        body |= _tools(request)
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None} | dict(options.body))


def _format(request: Request) -> dict[str, Any] | None:
    if request.output_schema is None:
        return None
    schema = closed(request.output_schema)
    return {"format": {"type": "json_schema", "name": ANSWER, "schema": schema, "strict": is_strict(schema)}}


def _tools(request: Request) -> dict[str, Any]:
    tools = [
        # Strict is the default here, and refuses schemas with optional fields.
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": False,
        }
        for tool in request.tools
    ]
    choice = None if request.tool_choice == "auto" else request.tool_choice
    return {"tools": tools, "tool_choice": choice, "parallel_tool_calls": None if request.parallel_tools else False}


def _input(provider: str, messages: Iterable[Message]) -> Iterator[Any]:
    for message in messages:
        if message.role == "assistant":
            yield from Turn(provider).items(message.parts)
        elif message.role == "tool":
            yield from map(_result, (part for part in message.parts if isinstance(part, ToolResult)))
        elif content := _content(message.parts):
            yield {"role": message.role, "content": content}


def _content(parts: Iterable[Part]) -> str | list[Item]:
    shown = [part for part in parts if isinstance(part, Text | Image)]
    if all(isinstance(part, Text) for part in shown):
        return "".join(part.text for part in shown if isinstance(part, Text))
    return [
        {"type": "input_text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "input_image", "image_url": data_url(part), "detail": "auto"}
        for part in shown
    ]


def _result(result: ToolResult) -> Item:
    return {"type": "function_call_output", "call_id": result.call, "output": _content(result.content)}


class Turn:
    """Turns the parts of one assistant message back into items, each with its frame where this server gave one."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._frame: Item = {}
        self._texts: list[str] = []

    def items(self, parts: Iterable[Part]) -> Iterator[Any]:
        for part in parts:
            match part:
                case Text(text):
                    self._texts.append(text)
                case ToolCall(id, name, arguments):
                    frame = self._frame if self._frame.get("type") == "function_call" else {}
                    yield from self._close()
                    yield {"type": "function_call", **frame, "call_id": id, "name": name, "arguments": arguments}
                case Reasoning() | Opaque() if part.provider == self._provider and part.data:
                    yield from self._close()
                    yield from self._open(part)
                case _:
                    pass
        yield from self._close()

    def _open(self, part: Reasoning | Opaque) -> Iterator[Any]:
        if isinstance(part, Reasoning):
            yield msgspec.Raw(part.data)
            return
        item = msgspec.json.decode(part.data)
        if item.get("type") in ("message", "function_call"):
            self._frame = item
        else:
            yield msgspec.Raw(part.data)

    def _close(self) -> Iterator[Item]:
        """Yield the message that the texts since the last item make; a frame whose part is gone goes with it."""
        frame, self._frame = self._frame, {}
        texts, self._texts = self._texts, []
        if frame.get("type") == "message":
            yield filled(frame, texts)
        elif any(texts):
            yield {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "".join(texts)}]}
