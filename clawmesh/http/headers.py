"""The header fields of a response."""

from __future__ import annotations

from collections.abc import Iterator


class Headers:
    """View of raw header fields, in the order received; names compare without regard to case (RFC 9110, 5.1)."""

    __slots__ = ("raw",)

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw = raw

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a field; bytes outside ASCII are read as Latin-1."""
        return next(self.values(name), default)

    def values(self, name: str) -> Iterator[str]:
        """Yield each value of a field that may be sent more than once."""
        wanted = name.lower().encode("ascii")
        return (decode(value) for key, value in self.raw if key.lower() == wanted)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name.decode("latin-1"), decode(value)) for name, value in self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"Headers({[name.decode('latin-1') for name, _ in self.raw]})"


def decode(value: bytes) -> str:
    """Return a field's value without the white space around it, which is no part of it (RFC 9112, 5.1)."""
    return value.decode("latin-1").strip(" \t")
