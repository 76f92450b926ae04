"""Spans of time as people write them."""

from __future__ import annotations

import math
import re
from typing import Any

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")


def parse(value: Any) -> float | None:
    """Return the seconds that a TOML value says, None where it is no span of time."""
    if isinstance(value, str):
        return _parse_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _parse_text(text: str) -> float | None:
    if re.match(PATTERN, text) is None:
        return None
    return float(sum(float(number) * SECONDS[unit] for number, unit in _PART.findall(text)))
