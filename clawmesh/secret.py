"""Secrets: values that never show themselves."""

from __future__ import annotations


class Secret:
    """Holds a secret; only `reveal()` shows it, so that no log, trace or error can by accident."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str = "") -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source or '***'})"

    __str__ = __repr__
