from __future__ import annotations

import pytest

from clawmesh.config.scanner import KeyPath, lines, statements

TEXT = """\
include = ["a.toml"] # not [a.header]

[agents.a]            # a comment
instructions = '''
[agents.fake]
key = "no key"
'''
tools = [
  "x", # ] not the end
  ["[agents.nested]"],
]
limits.steps = 3
limits . tokens = 4
"quoted key" = 'it is = not'

  [ agents . "b.c" ]
model = ''''
[still.text]
''''
[agents.a.context]
history = 3
[[rules]]
say = 1
[[rules]]
say = 2
[rules.more]
x = 1
"""


def test_each_table_and_key_has_its_line() -> None:
    found = lines(TEXT)
    assert found["include",] == 1
    assert found["agents", "a"] == 3
    assert found["agents", "a", "instructions"] == 4
    assert found["agents", "a", "tools"] == 8
    assert found["agents", "a", "tools", 0] == 9
    assert found["agents", "a", "tools", 1] == 10
    assert ("agents", "a", "tools", 2) not in found
    assert found["agents", "a", "limits"] == 12
    assert found["agents", "a", "limits", "tokens"] == 13
    assert found["agents", "a", "quoted key"] == 14
    assert found["agents", "b.c"] == 16
    assert found["agents", "b.c", "model"] == 17
    assert found["agents", "a", "context", "history"] == 21
    assert ("agents", "fake") not in found
    assert ("agents", "nested") not in found
    assert ("still", "text") not in found


def test_elements_of_an_array_of_tables_are_told_apart() -> None:
    found = lines(TEXT)
    assert found["rules", 0, "say"] == 23
    assert found["rules", 1, "say"] == 25
    assert found["rules", 1, "more", "x"] == 27


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", [(("a",), 1, 1)]),
        ("\r\na = 1\r\n[b]\r\n", [(("a",), 2, 2), (("b",), 3, 3)]),
        ("a = [\n1\n]\nb = 2\n", [(("a",), 1, 3), (("b",), 4, 4)]),
        ('"\\u0061" = 1\n', [(("a",), 1, 1)]),
        ('"\\q" = 1\n', [(('"\\q"',), 1, 1)]),
        ("a = { b = 1, c = [2,\n3] }\nd = 1\n", [(("a",), 1, 2), (("d",), 3, 3)]),
        ("]]]\n= 3\na = 1\n", [(("a",), 3, 3)]),
        ('a = """never closed\nb = 1\n', [(("a",), 1, 2)]),
        ("a = 'never closed\nb = 1\n", [(("a",), 1, 1), (("b",), 2, 2)]),
        ("", []),
    ],
)
def test_statements_are_made_out_in_any_text(text: str, expected: list[tuple[KeyPath, int, int]]) -> None:
    assert [(each.path, each.line, each.end) for each in statements(text)] == expected
