"""What one `[backends.NAME]` table of type "openai" says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from clawmesh import Secret

HOST = "api.openai.com"
API: TypeAlias = Literal["chat", "responses"]


class Options(Struct, frozen=True, dict=True):
    """The arguments of the factory, by their names there; what follows from them is worked out once."""

    base_url: str
    api_key: Secret | None = None
    api: API | None = None
    headers: Mapping[str, str | Secret] = {}
    body: Mapping[str, Any] = {}
    silence: float = 120.0

    @cached_property
    def official(self) -> bool:
        """Tell whether this is OpenAI itself and not one of the many that speak its protocols."""
        return urlsplit(self.base_url).hostname == HOST

    @cached_property
    def spoken(self) -> API:
        return self.api or ("responses" if self.official else "chat")

    @cached_property
    def provider(self) -> str:
        """The mark of what only this server can take back, such as signatures."""
        return f"openai.{self.spoken}@{urlsplit(self.base_url).netloc.rpartition('@')[2]}"

    @property
    def limit(self) -> str:
        """The field for the most tokens of an answer: OpenAI's newer models refuse the one that all others know."""
        return "max_completion_tokens" if self.official else "max_tokens"
