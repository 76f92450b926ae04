"""What one `[backends.NAME]` table of type "anthropic" says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from clawmesh import Secret


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of the factory, by their names there."""

    base_url: str
    api_key: Secret | None = None
    max_tokens: int = 0
    thinking_budget: int = 0
    cache: bool = True
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    silence: float = 120.0

    @property
    def provider(self) -> str:
        """The mark of what only this server can take back, such as signatures."""
        return f"anthropic@{urlsplit(self.base_url).netloc.rpartition('@')[2]}"
