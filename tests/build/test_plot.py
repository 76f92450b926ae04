"""The picture: well-formed, every bar where its value belongs."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import pytest

from plot import LABEL, PANEL, Panel, Scale, chart

SPACE = "{http://www.w3.org/2000/svg}"
NAMES = ["ours", "second", "third"]


def drawn(panels: Sequence[Panel], names: Sequence[str] = NAMES) -> ElementTree.Element:
    return ElementTree.fromstring(chart("A title", names, panels, "A footer"))


def widths(root: ElementTree.Element) -> list[float]:
    return [float(bar.attrib["width"]) for bar in root.iter(f"{SPACE}rect")]


def words(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SPACE}text")]


def test_a_decade_is_as_wide_as_any_other() -> None:
    scale = Scale.over([0.2, 15], 300)
    assert [scale.at(value) for value in (0.1, 1, 10, 100)] == pytest.approx([0, 100, 200, 300])


def test_an_axis_begins_below_its_least_value() -> None:
    scale = Scale.over([1, 1], 100)
    assert (scale.low, scale.high, scale.at(1)) == (-1, 0, 100)
    assert Scale.over([], 100).at(1) == 100


def test_bars_are_as_long_as_their_logarithms() -> None:
    root = drawn([Panel("ms", {"ours": 0.5, "second": 5, "third": 50})])
    decade = (PANEL - LABEL) / 3
    first, second, third = widths(root)
    assert (second - first, third - second) == pytest.approx((decade, decade), abs=0.11)
    assert first == pytest.approx(0.699 * decade, abs=0.1)


def test_everything_is_labelled() -> None:
    told = words(drawn([Panel("ms", {"ours": 0.5, "second": 5, "third": 12_345}), Panel("MB", {"ours": 64})]))
    assert {"A title", "A footer", "ours", "second", "third", "ms", "MB", "0.5", "5", "12,345", "64"} <= {*told}
    assert {"0.1", "1", "10", "10,000", "100,000"} <= {*told}


def test_a_value_that_is_missing_has_a_dash_and_no_bar() -> None:
    root = drawn([Panel("ms", {"ours": 2, "third": 0})])
    assert len(widths(root)) == 1
    assert words(root).count("-") == 2


def test_the_first_is_set_off() -> None:
    root = drawn([Panel("ms", dict.fromkeys(NAMES, 2.0))])
    assert [bar.attrib["class"] for bar in root.iter(f"{SPACE}rect")] == ["bar first", "bar", "bar"]


def test_names_are_text_whatever_they_hold() -> None:
    assert "<a & b>" in words(drawn([Panel("<ms>", {"<a & b>": 1.0})], ["<a & b>"]))


def test_nothing_leaves_the_picture() -> None:
    root = drawn([Panel("ms", {"ours": 1e-4, "second": 99_999}), Panel("MB", {"third": 1000})])
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for each in root.iter(f"{SPACE}rect"):
        assert 0 <= float(each.attrib["x"]) + float(each.attrib["width"]) <= width - LABEL
    for each in (*root.iter(f"{SPACE}text"), *root.iter(f"{SPACE}rect")):
        assert 0 <= float(each.attrib["x"]) <= width
        assert 0 <= float(each.attrib["y"]) <= height
