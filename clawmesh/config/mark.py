"""Marks for annotations that say more than a type."""

from __future__ import annotations

from typing import Annotated, TypeAlias


class Span:
    """Tells a span of time from any other number."""


class Lone:
    """Marks a list whose only item may stand without brackets."""


Duration: TypeAlias = Annotated[float, Span()]
"""Seconds; in TOML a number of seconds, or a text such as "500ms", "30s", "5m", "1h30m", "90d", "2w"."""
