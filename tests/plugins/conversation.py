"""One conversation with everything in it that a request can carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from clawmesh.abc.backend import Request
from clawmesh.abc.tool import ToolSpec
from clawmesh.messages import Image, Message, Part, Text, ToolResult

PIXEL = Image("image/png", b"\x89PNG")
LINKED = Image(url="https://images.example/cat.png")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = SCHEMA | {"additionalProperties": False}
PIXEL_URL = "data:image/png;base64,iVBORw=="
WEATHER = ToolSpec("weather", "Tell the weather.", SCHEMA)
FUNCTION = {"name": "weather", "description": "Tell the weather.", "parameters": SCHEMA}
RESULT = ToolResult("c1", "weather", (Text("rain"),))


def request_with(*messages: Message, **fields: Any) -> Request:
    return Request(model="m", messages=messages, **fields)


def turn(answer: Iterable[Part], *results: ToolResult) -> tuple[Message, ...]:
    """Return what follows an answer: itself, its results and the next question."""
    return (
        Message.user("What is the weather?"),
        Message("assistant", tuple(answer)),
        Message("tool", results),
        Message("user", (Text("And here?"), PIXEL)),
    )


def written(encode: Callable[..., bytes], *args: Any) -> dict[str, Any]:
    """Return the body that an encoder writes."""
    return msgspec.json.decode(encode(*args), type=dict[str, Any])
