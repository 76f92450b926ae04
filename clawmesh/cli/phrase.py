"""How the command line puts times, amounts and long texts into words."""

from __future__ import annotations

import time

from clawmesh.messages import Usage

_UNITS = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"))
_BYTES = ("B", "KB", "MB", "GB", "TB")
KIB = 1024


def span(seconds: float) -> str:
    """Return a duration with as many digits as anybody needs: `0.4 ms`, `2.31 s`, `3 min`, `12 days`."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    if seconds >= 1:
        return f"{seconds:.3g} s"
    thousandths = seconds * 1000
    return f"{thousandths:.0f} ms" if thousandths >= 10 else f"{thousandths:.2g} ms"


def moment(at: float) -> str:
    """Return a time as the clock here shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def age(at: float) -> str:
    """Return for how long something has been there."""
    return span(max(0.0, time.time() - at))


def ago(at: float) -> str:
    """Return how long ago a time was, or how long it will be."""
    seconds = time.time() - at
    if abs(seconds) < 1:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def size(number: float) -> str:
    """Return a number of bytes: `512 B`, `4.2 KB`."""
    unit = 0
    while number >= KIB and unit < len(_BYTES) - 1:
        number /= KIB
        unit += 1
    return f"{number:.0f} {_BYTES[unit]}" if unit == 0 or number >= 100 else f"{number:.1f} {_BYTES[unit]}"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(usage: Usage) -> str:
    """Return what was used: `1,240 tokens (1,100 in, 140 out, 300 cached)`."""
    parts = [f"{usage.input_tokens:,} in", f"{usage.output_tokens:,} out"]
    if usage.cache_read_tokens:
        parts.append(f"{usage.cache_read_tokens:,} cached")
    return f"{count(usage.total_tokens, 'token')} ({', '.join(parts)})"


def cut(text: str, most: int) -> str:
    """Return a text on one line; of a long one the beginning, and how long it is."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}… ({len(line):,} characters)"
