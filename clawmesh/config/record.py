"""Tables with known keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from clawmesh.config.fault import Fault, Faults
from clawmesh.config.scope import Scope
from clawmesh.config.shape import Shape, mismatch
from clawmesh.config.suggestion import did_you_mean


class Field(Struct, frozen=True):
    """One key of a table. `shape` is what it takes; `default` counts where it is not `required`."""

    name: str
    shape: Shape
    required: bool = True
    default: Any = None
    doc: str = ""

    def schema(self) -> dict[str, Any]:
        schema = self.shape.schema()
        if self.doc:
            schema["description"] = self.doc
        if not self.required and isinstance(self.default, str | int | float) and self.default != "":
            schema["default"] = self.default
        return schema


Fields: TypeAlias = Mapping[str, Field]


class Record(Struct, frozen=True):
    """A table with known keys, which becomes a dataclass."""

    make: Callable[..., Any]
    fields: Fields
    expected: str = "a table"
    kinds: tuple[type, ...] = (dict,)

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not dict:
            return mismatch(value, self)
        values = convert_table(value, self.fields, scope)
        return values if isinstance(values, Faults) else self.make(**values)

    def schema(self) -> dict[str, Any]:
        return table_schema(self.fields)


def convert_table(table: Mapping[str, Any], fields: Fields, scope: Scope) -> dict[str, Any] | Faults:
    """Return the table's values by key, converted, without those it leaves out; or all that is wrong with it."""
    values, faults = read_table(table, fields, scope)
    return Faults(faults) if faults else values


def read_table(table: Mapping[str, Any], fields: Fields, scope: Scope) -> tuple[dict[str, Any], list[Fault]]:
    """Return the values that are right, converted, beside all that is wrong."""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, value in table.items():
        field = fields.get(key)
        if field is None:
            faults.append(Fault(unknown_key(key, value, fields), (key,)))
            continue
        converted = field.shape.convert(value, scope)
        if type(converted) is Faults:
            faults += converted.under(key)
        else:
            values[key] = converted
    faults += [
        Fault(f"missing; expected {field.shape.expected}", (field.name,))
        for field in fields.values()
        if field.required and field.name not in table
    ]
    return values, faults


def table_schema(fields: Fields) -> dict[str, Any]:
    """Return the JSON Schema of a table with exactly these keys."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields.values()},
        "additionalProperties": False,
    }
    required = [field.name for field in fields.values() if field.required]
    return schema | {"required": required} if required else schema


def unknown_key(key: str, value: Any, fields: Fields) -> str:
    """Return the sentence about a key that the table does not have, with the place where it belongs if there is one."""
    for field in fields.values():
        if isinstance(field.shape, Record) and key in field.shape.fields:
            return f'unknown key; it belongs into the table "{field.name}": {field.name}.{key} = …'
    if not fields:
        return "unknown key; there is nothing to set here"
    return f"unknown key{did_you_mean(key, fields, otherwise='the keys here are')}"
