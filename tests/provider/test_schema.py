"""JSON Schemas made fit for structured output."""

from __future__ import annotations

from typing import Any

import pytest

from clawmesh.provider.schema import closed, is_strict

TEXT = {"type": "string"}


def obj(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


def test_every_object_is_closed() -> None:
    schema = {
        **obj(
            ["a"], a={"type": "array", "items": obj([], b=TEXT)}, c={"anyOf": [obj(["d"], d=TEXT), {"type": "null"}]}
        ),
        "$defs": {"e": obj(["f"], f=TEXT)},
    }
    shut = closed(schema)
    assert shut["additionalProperties"] is False
    assert shut["properties"]["a"]["items"]["additionalProperties"] is False
    assert shut["properties"]["c"]["anyOf"][0]["additionalProperties"] is False
    assert shut["$defs"]["e"]["additionalProperties"] is False
    assert "additionalProperties" not in schema


def test_what_a_schema_says_stays() -> None:
    assert closed({**obj([], a=TEXT), "additionalProperties": True})["additionalProperties"] is True
    free = {"type": "object", "additionalProperties": TEXT}
    assert closed(free) == free
    assert closed({"type": "array", "items": True}) == {"type": "array", "items": True}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (obj(["a"], a=TEXT), True),
        (obj([], a=TEXT), False),
        (obj(["a"], a=obj([], b=TEXT)), False),
        (obj(["a"], a={"type": "array", "items": obj(["b"], b=TEXT)}), True),
        ({"type": "object"}, False),
        ({**obj(["a"], a=TEXT), "additionalProperties": True}, False),
        ({"type": "array", "items": TEXT}, True),
    ],
)
def test_strict_mode_takes_objects_that_require_all(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(closed(schema)) is strict
