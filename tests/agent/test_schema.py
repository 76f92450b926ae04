from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from clawmesh.abc.context import Context
from clawmesh.abc.tool import ToolSpec
from clawmesh.agent.schema import CheckedTool, Schema
from clawmesh.errors import ArgumentError, PluginError

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
        ('{"name": "Ada", "age": NaN}', "it is not JSON: NaN is not a number in JSON"),
        ('{"name": "Ada", "age": -Infinity}', "it is not JSON: -Infinity is not a number in JSON"),
        ("[" * 100_000, "it is not JSON: it is nested too deeply"),
    ],
)
def test_faults_are_told_in_words(text: str, faults: str) -> None:
    found = Schema(PERSON).faults_in(text)
    assert faults in found
    assert bool(found) == bool(faults)


def test_many_faults_are_counted() -> None:
    schema = Schema({"type": "array", "items": {"type": "integer"}})
    assert schema.faults(["x"] * 9).endswith("; and 4 more")


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "objekt"}, "its schema is wrong: $.type: 'objekt' is not valid"),
        ({"properties": {"name": {"pattern": "("}}}, "its schema is wrong: $.properties.name.pattern: '('"),
        ({"$schema": ["x"]}, "its schema is wrong"),
        ({"$ref": "#/$defs/gone"}, "it cannot be held against its schema"),
        ({"$ref": "#"}, "it cannot be held against its schema: it is nested too deeply"),
    ],
)
def test_a_schema_that_cannot_be_applied_is_a_fault(schema: dict[str, Any], fault: str) -> None:
    assert fault in Schema(schema).faults({"name": "Ada"})


def test_a_schema_is_never_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        fault = Schema({"$ref": f"http://127.0.0.1:{port}/person.json"}).faults({})
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "it cannot be held against its schema" in fault
    assert f"http://127.0.0.1:{port}/person.json" in fault


def test_a_schema_may_refer_to_a_draft() -> None:
    schema = Schema({"$ref": "https://json-schema.org/draft/2020-12/schema"})
    assert schema.faults({"type": "object"}) == ""
    assert "$.type" in schema.faults({"type": 1})


class Greet:
    def __init__(self, parameters: Mapping[str, Any] = PERSON) -> None:
        self.spec = ToolSpec("greet", "Greet.", parameters)

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        return f"hello {arguments['name']}"


@pytest.mark.anyio
async def test_a_tool_sees_only_arguments_that_fit() -> None:
    tool = CheckedTool(Greet())
    assert await tool.call(NOWHERE, {"name": "Ada"}) == "hello Ada"
    with pytest.raises(ArgumentError, match=r"the arguments of greet do not fit: \$: 'name' is a required property"):
        await tool.call(NOWHERE, {})


@pytest.mark.anyio
async def test_a_tool_whose_schema_is_wrong_is_not_called() -> None:
    with pytest.raises(PluginError, match=r"the parameters of greet are not a JSON Schema: \$\.type: 'objekt'"):
        await CheckedTool(Greet({"type": "objekt"})).call(NOWHERE, {})
