from __future__ import annotations

import pytest

from clawmesh.config.pattern import Names, is_pattern

NAMES = Names(["writer", "notes_read", "notes_write", "notes", "a.b", "x[1]"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("writer", ["writer"]),
        ("writ", []),
        ("notes_*", ["notes_read", "notes_write"]),
        ("notes*", ["notes", "notes_read", "notes_write"]),
        ("*_write", ["notes_write"]),
        ("note?", ["notes"]),
        ("[aw]*", ["a.b", "writer"]),
        ("*", ["a.b", "notes", "notes_read", "notes_write", "writer", "x[1]"]),
        ("z*", []),
        ("a?b", ["a.b"]),
    ],
)
def test_a_pattern_stands_for_names(pattern: str, expected: list[str]) -> None:
    assert list(NAMES.matching(pattern)) == expected


def test_patterns_expand_in_order_and_once() -> None:
    assert NAMES.expand(["writer", "notes_*", "notes_read", "none"]) == ("writer", "notes_read", "notes_write")


def test_names_are_told_from_patterns() -> None:
    assert [text for text in ("a", "a.b", "a*", "a?", "[a]") if is_pattern(text)] == ["a*", "a?", "[a]"]
    assert "writer" in NAMES
    assert "w*" not in NAMES
    assert len(NAMES) == 6
    assert next(iter(NAMES)) == "a.b"
