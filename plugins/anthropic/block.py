"""One content block of an answer, whole or put together from its deltas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.messages import Opaque, Part, Reasoning, Text, ToolCall

DIRECT = "direct"


class Delta(Struct, gc=False):
    """The delta of a content block, or of the message at its end."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""
    citation: dict[str, Any] | None = None
    content: str | None = None
    encrypted_content: str | None = None
    stop_reason: str | None = None


class Block:
    """Holds what `content_block_start` gave, and the text and JSON that followed."""

    __slots__ = ("_json", "_texts", "_value")

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value
        self._texts: list[str] = []
        self._json: list[str] | None = None

    def open(self) -> None:
        """Expect deltas: the input of a streamed block is what its deltas say, not the empty one it starts with."""
        self._json = []

    def grow(self, delta: Delta) -> None:
        if delta.text or delta.thinking:
            self._texts.append(delta.text or delta.thinking)
        elif delta.partial_json:
            self._json = self._json or []
            self._json.append(delta.partial_json)
        elif delta.signature:
            self._value["signature"] = delta.signature
        elif delta.citation:
            given = self._value.get("citations")
            self._value["citations"] = [*(given if isinstance(given, list) else ()), delta.citation]
        elif delta.content is not None or delta.encrypted_content is not None:
            said = {"content": delta.content, "encrypted_content": delta.encrypted_content}
            self._value |= {name: text for name, text in said.items() if text is not None}

    @property
    def type(self) -> str:
        return str(self._value.get("type", ""))

    def parts(self, provider: str) -> Iterator[Part]:
        """Yield the block as parts; what a part has no room for travels before it in an `Opaque` of the same type."""
        match self.type:
            case "text":
                yield from self._text(provider)
            case "thinking":
                text = self._joined("thinking")
                yield Reasoning(text, provider, msgspec.json.encode(self._value | {"thinking": text}))
            case "redacted_thinking":
                yield Reasoning("", provider, msgspec.json.encode(self._value))
            case "tool_use":
                yield from self._call(provider)
            case _:
                yield from self._opaque(provider)

    def _text(self, provider: str) -> Iterator[Part]:
        text = self._joined("text")
        if text and (citations := self._value.get("citations")):
            yield Opaque(provider, msgspec.json.encode({"type": "text", "citations": citations}))
        if text:
            yield Text(text)

    def _call(self, provider: str) -> Iterator[Part]:
        caller = self._value.get("caller")
        if isinstance(caller, dict) and caller.get("type") != DIRECT:
            yield Opaque(provider, msgspec.json.encode({"type": "tool_use", "caller": caller}))
        yield ToolCall(str(self._value.get("id") or ""), str(self._value.get("name") or ""), self.input)

    def _opaque(self, provider: str) -> Iterator[Part]:
        value = dict(self._value)
        if self._json:
            try:
                value["input"] = msgspec.json.decode(self.input)
            except msgspec.DecodeError:
                return  # the end of the answer cut it in half: nobody could take it back
        yield Opaque(provider, msgspec.json.encode(value))

    @property
    def input(self) -> str:
        """The JSON text of a tool's input; empty if a streamed block ended before it."""
        given = self._value.get("input")
        if self._json is not None and (self._json or not given):
            return "".join(self._json)
        return msgspec.json.encode(given or {}).decode()

    def _joined(self, name: str) -> str:
        return str(self._value.get(name) or "") + "".join(self._texts)
