"""What one `[backends.NAME]` table of type "ollama" says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from clawmesh import Secret


class Options(Struct, frozen=True, dict=True):
    """The arguments of the factory, by their names there."""

    base_url: str
    api_key: Secret | None = None
    num_ctx: int | None = None
    keep_alive: str | None = None
    headers: Mapping[str, str | Secret] = {}
    body: Mapping[str, Any] = {}
    silence: float = 120.0

    @cached_property
    def provider(self) -> str:
        """The mark of what only this server can take back."""
        return f"ollama@{urlsplit(self.base_url).netloc.rpartition('@')[2]}"
