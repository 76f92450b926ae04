from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clawmesh.abc.context import Context
from clawmesh.abc.tool import ToolSpec
from clawmesh.agent.schema import CheckedTool, Schema
from clawmesh.errors import ArgumentError

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"$ref": "#/$defs/years"}},
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"years": {"type": "integer", "minimum": 0}},
}
NOWHERE: Any = None


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('{"name": "Ada", "age": 36}', ""),
        ('{"age": 36}', "$: 'name' is a required property"),
        ('{"name": "Ada", "age": -1}', "$.age: -1 is less than the minimum of 0"),
        ('{"name": 1, "title": "x"}', "'title' was unexpected"),
        ("not json", "it is not JSON: Expecting value"),
        ("", "it is not JSON"),
    ],
)
def test_faults_are_told_in_words(text: str, faults: str) -> None:
    found = Schema(PERSON).faults_in(text)
    assert faults in found
    assert bool(found) == bool(faults)


def test_many_faults_are_counted() -> None:
    schema = Schema({"type": "array", "items": {"type": "integer"}})
    assert schema.faults(["x"] * 9).endswith("; and 4 more")


class Greet:
    spec = ToolSpec("greet", "Greet.", PERSON)

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        return f"hello {arguments['name']}"


@pytest.mark.anyio
async def test_a_tool_sees_only_arguments_that_fit() -> None:
    tool = CheckedTool(Greet())
    assert await tool.call(NOWHERE, {"name": "Ada"}) == "hello Ada"
    with pytest.raises(ArgumentError, match=r"the arguments of greet do not fit: \$: 'name' is a required property"):
        await tool.call(NOWHERE, {})
