"""Output items of the Responses API and the parts that carry them.

A part holds what other providers understand too. What else an item says, its id above all, travels before its part in
an `Opaque`, the frame; an item of a kind without a part is an `Opaque` whole. So each can be given back as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from clawmesh.messages import Opaque, Part, Reasoning, Text, ToolCall

Item: TypeAlias = dict[str, Any]
CALL_FIELDS = ("call_id", "name", "arguments")
TEXT_FIELDS = {"output_text": "text", "refusal": "refusal"}
UNKEPT = "logprobs"


def parts(item: Item, provider: str) -> Iterator[Part]:
    """Yield an item as parts, the frame first."""
    match item.get("type"):
        case "message":
            yield from _message(item, provider)
        case "reasoning":
            first, *more = _thoughts(item) or [""]
            yield Reasoning(first, provider, msgspec.json.encode(item))
            yield from map(Reasoning, more)
        case "function_call":
            yield _frame({name: value for name, value in item.items() if name not in CALL_FIELDS}, provider)
            yield ToolCall(*(str(item.get(name) or "") for name in CALL_FIELDS))
        case _:
            yield _frame(item, provider)


def refused(item: Item) -> bool:
    return any(content.get("type") == "refusal" for content in _contents(item))


def _message(item: Item, provider: str) -> Iterator[Part]:
    contents = _contents(item)
    kept = [_without(content, TEXT_FIELDS[content["type"]], UNKEPT) for content in contents]
    yield _frame(item | {"content": kept}, provider)
    for content in contents:
        yield Text(str(content.get(TEXT_FIELDS[content["type"]]) or ""))


def filled(frame: Item, texts: list[str]) -> Item:
    """Return the message whose frame and texts these are."""
    contents = [
        content | {TEXT_FIELDS[content["type"]]: text} for content, text in zip(frame["content"], texts, strict=False)
    ]
    return frame | {"content": contents}


def _contents(item: Item) -> list[Item]:
    contents = item.get("content")
    if item.get("type") != "message" or not isinstance(contents, list):
        return []
    return [content for content in contents if isinstance(content, dict) and str(content.get("type")) in TEXT_FIELDS]


def _thoughts(item: Item) -> list[str]:
    lists = (item.get(name) for name in ("summary", "content"))
    pieces = (piece for pieces in lists if isinstance(pieces, list) for piece in pieces if isinstance(piece, dict))
    return [text for piece in pieces if isinstance(text := piece.get("text"), str)]


def _frame(item: Mapping[str, Any], provider: str) -> Opaque:
    return Opaque(provider, msgspec.json.encode(item))


def _without(value: Mapping[str, Any], *names: str) -> Item:
    return {name: item for name, item in value.items() if name not in names}
