"""Draws figures as horizontal bars on logarithmic axes, side by side, as an SVG that suits a light and a dark page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from msgspec import Struct

from table import number as written

NAMES, PANEL, GAP, ROW, BAR = 132.0, 236.0, 34.0, 30.0, 16.0
HEAD, FOOT, MARGIN = 62.0, 58.0, 16.0
# What a bar's figure needs beyond its end.
LABEL = 44.0
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .small { font-size: 11px; fill: #57606a; }
  .title { font-weight: 600; }
  .own { font-weight: 700; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .bar { fill: #8c96a3; }
  .bar.first { fill: #1f6feb; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9da7b3; }
    .grid { stroke: #373e47; }
    .bar { fill: #6e7681; }
    .bar.first { fill: #58a6ff; }
  }
"""


class Panel(Struct, frozen=True):
    """One figure of everyone who has it."""

    title: str
    values: Mapping[str, float]


class Scale(Struct, frozen=True):
    """A logarithmic axis over whole decades."""

    low: int
    high: int
    width: float

    @classmethod
    def over(cls, values: Sequence[float], width: float) -> Scale:
        """Return the axis on which all of these values, greater than 0, have a place."""
        low = math.ceil(math.log10(min(values, default=1))) - 1  # so that no bar has no length
        high = math.ceil(math.log10(max(values, default=1)))
        return cls(low, max(high, low + 1), width)

    def at(self, value: float) -> float:
        """Return how far from the left a value lies."""
        return (math.log10(value) - self.low) / (self.high - self.low) * self.width


def chart(title: str, names: Sequence[str], panels: Sequence[Panel], footer: str) -> str:
    """Return the SVG; the first name is set off from the others, and a value that is missing or 0 has a dash."""
    width = 2 * MARGIN + NAMES + len(panels) * (PANEL + GAP) - GAP
    height = HEAD + len(names) * ROW + FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        text(MARGIN, 22, title, "title"),
    ]
    for row, name in enumerate(names):
        lines.append(text(MARGIN + NAMES - 10, middle(row), name, "" if row else "own", "end"))
    for number, panel in enumerate(panels):
        lines += draw(panel, names, MARGIN + NAMES + number * (PANEL + GAP))
    return "\n".join([*lines, text(MARGIN, height - 12, footer, "small"), "</svg>"]) + "\n"


def draw(panel: Panel, names: Sequence[str], left: float) -> Iterator[str]:
    """Yield one panel, its axis first and its bars upon it."""
    scale = Scale.over([value for value in panel.values.values() if value > 0], PANEL - LABEL)
    bottom = HEAD + len(names) * ROW
    yield text(left, HEAD - 16, panel.title, "small")
    for decade in range(scale.low, scale.high + 1):
        x = left + scale.at(10.0**decade)
        yield f'<line class="grid" x1="{x:.1f}" y1="{HEAD - 6:g}" x2="{x:.1f}" y2="{bottom:g}"/>'
        yield text(x, bottom + 16, f"{10.0**decade:,g}", "small", "middle")
    for row, name in enumerate(names):
        value = panel.values.get(name, 0)
        end = scale.at(value) if value > 0 else 0.0
        if value > 0:
            place = f'x="{left:g}" y="{HEAD + row * ROW + (ROW - BAR) / 2:g}" width="{end:.1f}" height="{BAR:g}"'
            yield f'<rect class="{"bar" if row else "bar first"}" {place} rx="2"/>'
        yield text(left + end + 5, middle(row), written(value) if value > 0 else "-", "" if row else "own")


def middle(row: int) -> float:
    """Return where the text of a row stands."""
    return HEAD + row * ROW + ROW / 2 + 4.5


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Return some words at a place."""
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
