"""Where a provider listens, and what opens its door."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from clawmesh.http.target import Target
from clawmesh.secret import Secret

HIDDEN = "***"
SHORTEST = 8  # characters: replacing less would tear ordinary words, and no real key is that short


class Key(Struct, frozen=True):
    """An API key and how its provider wants it: in which header, after which word."""

    value: Secret | None
    header: str = "authorization"
    prefix: str = "Bearer "

    @property
    def headers(self) -> Mapping[str, str]:
        return {self.header: self.prefix + self.value.reveal()} if self.value else {}


class Endpoint(Struct, frozen=True):
    """One URL of a provider and the headers of every request to it."""

    url: str
    headers: Mapping[str, str] = {}
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Endpoint({self.url})"

    @classmethod
    def at(cls, base_url: str, path: str, key: Key, headers: Mapping[str, str | Secret]) -> Endpoint:
        """Join a base URL, which may carry a query, and the path of one operation; given headers win over the key's."""
        base, mark, query = base_url.partition("?")
        plain = {name.lower(): _shown(value) for name, value in headers.items()}
        secrets = [value for value in (key.value, *headers.values()) if isinstance(value, Secret)]
        return cls(
            url=f"{base.rstrip('/')}{path}{mark}{query}",
            headers={"content-type": "application/json", **key.headers, **plain},
            secrets=tuple(secret.reveal() for secret in secrets if len(secret.reveal()) >= SHORTEST),
        )

    @property
    def target(self) -> Target:
        return Target.parse(self.url, headers=self.headers)

    def hide(self, text: str) -> str:
        """Return a text without the secrets: providers repeat keys in their errors."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def _shown(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
