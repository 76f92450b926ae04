"""What a model thought, in the spellings of the servers which speak chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

GROWING = ("text", "summary")


class Thoughts:
    """Collects reasoning, and how it is to be given back.

    DeepSeek, llama.cpp and vLLM write `reasoning_content`; Groq, Together and newer vLLM `reasoning`; OpenRouter both
    `reasoning` and `reasoning_details`, which hold signatures and encrypted text; Mistral blocks of `thinking`.
    """

    __slots__ = ("_details", "_field", "_texts")

    def __init__(self) -> None:
        self._field = ""
        self._texts: list[str] = []
        self._details: list[dict[str, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._texts or self._details)

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def data(self) -> bytes:
        """The fields of the assistant's message that give these thoughts back."""
        fields: Mapping[str, Any] = {"reasoning_details": self._details} if self._details else {self._field: self.text}
        return msgspec.json.encode(fields)

    def add(self, content: Any, reasoning: Any, details: list[dict[str, Any]] | None) -> str:
        """Take the fields of one delta and return what of them is to be shown."""
        for detail in details or ():
            self._merge(detail)
        if isinstance(content, str) and content:
            return self._keep("reasoning_content", content)
        if isinstance(reasoning, str) and reasoning:
            return self._keep("reasoning", reasoning)
        shown = "".join(_shown(detail) for detail in details or ())
        return self._keep("reasoning", shown) if shown else ""

    def add_block(self, block: Mapping[str, Any]) -> str:
        """Take a content block of type `thinking` and return its text."""
        thinking = block.get("thinking")
        pieces = [{"text": thinking}] if isinstance(thinking, str) else thinking
        listed = pieces if isinstance(pieces, list) else []
        shown = "".join(_shown(piece) for piece in listed if isinstance(piece, dict))
        return self._keep("thinking", shown) if shown else ""

    def _keep(self, field: str, text: str) -> str:
        self._field = self._field or field
        self._texts.append(text)
        return text

    def _merge(self, detail: dict[str, Any]) -> None:
        """Join a detail to the one before it if it is a further piece of the same; encrypted data comes whole."""
        last = self._details[-1] if self._details else {}
        same = all(last.get(name) == detail.get(name) for name in ("index", "type"))
        if not last or not same or "data" in detail:
            self._details.append(dict(detail))
            return
        grown = {
            name: str(last.get(name) or "") + piece for name in GROWING if isinstance(piece := detail.get(name), str)
        }
        last.update({name: value for name, value in detail.items() if value} | grown)


def _shown(detail: Mapping[str, Any]) -> str:
    return next((text for name in GROWING if isinstance(text := detail.get(name), str) and text), "")
