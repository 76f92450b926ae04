"""What a value may be: how it is converted from TOML, how it is called in errors, how an editor is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Meta

from clawmesh.config import duration, reference
from clawmesh.config.fault import Fault, Faults, describe, looks_like_key
from clawmesh.config.scope import Scope
from clawmesh.config.suggestion import did_you_mean
from clawmesh.secret import Secret


class Shape(Protocol):
    """`expected` completes the sentence "expected …"; `kinds` are the Python types of the TOML values it takes."""

    @property
    def expected(self) -> str: ...

    @property
    def kinds(self) -> tuple[type, ...]: ...

    def convert(self, value: Any, scope: Scope) -> Any:
        """Return the value as the program wants it, or `Faults`."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of the values taken."""


@dataclass(frozen=True, slots=True)
class Field:
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


Fields = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, an integer or a boolean: exactly that type, for true is no integer here."""

    kind: type
    expected: str
    name: str

    @property
    def kinds(self) -> tuple[type, ...]:
        return (self.kind,)

    def convert(self, value: Any, scope: Scope) -> Any:
        return value if type(value) is self.kind else _mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"type": self.name}


STRING = Scalar(str, "a string", "string")
INTEGER = Scalar(int, "an integer", "integer")
BOOLEAN = Scalar(bool, "true or false", "boolean")


@dataclass(frozen=True, slots=True)
class Number:
    expected: str = "a number"
    kinds: tuple[type, ...] = (int, float)

    def convert(self, value: Any, scope: Scope) -> Any:
        return float(value) if type(value) in self.kinds and math.isfinite(value) else _mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"type": "number"}


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time, in seconds."""

    expected: str = 'seconds, or a duration such as "30s", "5m", "2h"'
    kinds: tuple[type, ...] = (int, float, str)

    def convert(self, value: Any, scope: Scope) -> Any:
        seconds = duration.parse(value)
        return _mismatch(value, self) if seconds is None else seconds

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": duration.PATTERN}]}


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path; what is relative starts at the configuration file."""

    expected: str = "a path"
    kinds: tuple[type, ...] = (str,)

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not str or not value or "\0" in value:
            return _mismatch(value, self)
        return scope.path(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret, said by reference only."""

    expected: str = reference.EXPECTED
    kinds: tuple[type, ...] = (dict,)

    def convert(self, value: Any, scope: Scope) -> Any:
        return reference.resolve(value, scope)

    def schema(self) -> dict[str, Any]:
        ways = {kind: {"type": "string", "minLength": 1} for kind in reference.KINDS}
        return {
            "type": "object",
            "properties": ways,
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Anything:
    expected: str = "a value"
    kinds: tuple[type, ...] = (object,)

    def convert(self, value: Any, scope: Scope) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few constants; `options` leads from what TOML says to the value."""

    options: Mapping[Any, Any]

    @property
    def expected(self) -> str:
        words = [_constant(option) for option in self.options]
        return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

    @property
    def kinds(self) -> tuple[type, ...]:
        return tuple({type(option) for option in self.options})

    def convert(self, value: Any, scope: Scope) -> Any:
        # 1, 1.0 and true are the same key of a dict, and they are not the same in TOML.
        if isinstance(value, str | int) and value in self.options and type(value) in self.kinds:
            return self.options[value]
        return _mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `make` is the Python type that it becomes. `lone` takes one item without its brackets, too."""

    item: Shape
    make: Callable[[list[Any]], Any] = tuple
    lone: bool = False

    @property
    def expected(self) -> str:
        several = f"a list of {_plural(self.item.expected)}"
        return f"{self.item.expected} or {several}" if self.lone else several

    @property
    def kinds(self) -> tuple[type, ...]:
        return (list, *self.item.kinds) if self.lone else (list,)

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not list:
            if not self.lone or type(value) not in self.item.kinds:
                return _mismatch(value, self)
            value = [value]
        converted = [self.item.convert(item, scope) for item in value]
        faults = [fault.under(index) for index, item in enumerate(converted) if type(item) is Faults for fault in item]
        return Faults(faults) if faults else self.make(converted)

    def schema(self) -> dict[str, Any]:
        several = {"type": "array", "items": self.item.schema()}
        return {"anyOf": [self.item.schema(), several]} if self.lone else several


@dataclass(frozen=True, slots=True)
class Table:
    """A table with any keys, all values alike."""

    value: Shape
    kinds: tuple[type, ...] = (dict,)

    @property
    def expected(self) -> str:
        return "a table" if isinstance(self.value, Anything) else f"a table of {_plural(self.value.expected)}"

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not dict:
            return _mismatch(value, self)
        converted = {key: self.value.convert(item, scope) for key, item in value.items()}
        faults = [fault.under(key) for key, item in converted.items() if type(item) is Faults for fault in item]
        return Faults(faults) if faults else converted

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.value.schema()}


@dataclass(frozen=True, slots=True)
class Either:
    """One of several shapes: the first that takes the value."""

    shapes: Sequence[Shape]

    @property
    def expected(self) -> str:
        return " or ".join(shape.expected for shape in self.shapes)

    @property
    def kinds(self) -> tuple[type, ...]:
        return tuple(kind for shape in self.shapes for kind in shape.kinds)

    def convert(self, value: Any, scope: Scope) -> Any:
        fitting = [shape for shape in self.shapes if isinstance(value, shape.kinds)]
        secret = any(isinstance(shape, Reference) for shape in self.shapes)
        if secret and isinstance(value, str) and (looks_like_key(value) or len(fitting) == 0):
            return reference.resolve(value, scope)
        results = [shape.convert(value, scope) for shape in fitting]
        for result in results:
            if type(result) is not Faults:
                return result
        # The only shape that takes this type of value knows best what is wrong inside it.
        return results[0] if len(results) == 1 else _mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [shape.schema() for shape in self.shapes]}


@dataclass(frozen=True, slots=True)
class Bounded:
    """Another shape with the limits that `msgspec.Meta` says."""

    inner: Shape
    meta: Meta

    @property
    def expected(self) -> str:
        words = [
            *(f"of at least {bound}" for bound in (self.meta.ge,) if bound is not None),
            *(f"above {bound}" for bound in (self.meta.gt,) if bound is not None),
            *(f"of at most {bound}" for bound in (self.meta.le,) if bound is not None),
            *(f"below {bound}" for bound in (self.meta.lt,) if bound is not None),
            *(f"of at least {bound} in length" for bound in (self.meta.min_length,) if bound is not None),
            *(f"of at most {bound} in length" for bound in (self.meta.max_length,) if bound is not None),
        ]
        return f"{self.inner.expected} {' and '.join(words)}" if words else self.inner.expected

    @property
    def kinds(self) -> tuple[type, ...]:
        return self.inner.kinds

    def convert(self, value: Any, scope: Scope) -> Any:
        converted = self.inner.convert(value, scope)
        if type(converted) is Faults or self._fits(converted):
            return converted
        return _mismatch(value, self)

    def _fits(self, value: Any) -> bool:
        meta = self.meta
        if isinstance(value, int | float):
            return (
                (meta.ge is None or value >= meta.ge)
                and (meta.gt is None or value > meta.gt)
                and (meta.le is None or value <= meta.le)
                and (meta.lt is None or value < meta.lt)
            )
        if isinstance(value, str | Sequence | Mapping):
            return (meta.min_length or 0) <= len(value) <= (math.inf if meta.max_length is None else meta.max_length)
        return True

    def schema(self) -> dict[str, Any]:
        words = {
            "minimum": self.meta.ge,
            "exclusiveMinimum": self.meta.gt,
            "maximum": self.meta.le,
            "exclusiveMaximum": self.meta.lt,
        }
        return self.inner.schema() | {word: bound for word, bound in words.items() if bound is not None}


@dataclass(frozen=True, slots=True)
class Record:
    """A table with known keys, which becomes a dataclass."""

    make: Callable[..., Any]
    fields: Fields
    expected: str = "a table"
    kinds: tuple[type, ...] = (dict,)

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not dict:
            return _mismatch(value, self)
        values = convert_table(value, self.fields, scope)
        return values if isinstance(values, Faults) else self.make(**values)

    def schema(self) -> dict[str, Any]:
        return table_schema(self.fields)


def convert_table(table: Mapping[str, Any], fields: Fields, scope: Scope) -> dict[str, Any] | Faults:
    """Return the table's values by key, converted, without those it leaves out; or all that is wrong with it."""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, value in table.items():
        field = fields.get(key)
        if field is None:
            faults.append(Fault(unknown_key(key, value, fields), (key,)))
            continue
        converted = values[key] = field.shape.convert(value, scope)
        if type(converted) is Faults:
            faults += converted.under(key)
    faults += [
        Fault(f"missing; expected {field.shape.expected}", (field.name,))
        for field in fields.values()
        if field.required and field.name not in table
    ]
    return Faults(faults) if faults else values


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
    return f"unknown key{did_you_mean(key, fields, otherwise='the keys here are')}"


def _mismatch(value: Any, shape: Shape) -> Faults:
    found = describe(value)
    if isinstance(value, str) and any(issubclass(Secret, kind) for kind in shape.kinds):
        found = "a string (not shown)"
    return Faults.of(f"found {found}, expected {shape.expected}")


def _constant(option: Any) -> str:
    return f'"{option}"' if isinstance(option, str) else str(option).lower()


def _plural(expected: str) -> str:
    """Turn "a string" into "strings"; longer phrases stay as they are."""
    words = expected.split(" ", 1)[-1] if expected.startswith(("a ", "an ")) else expected
    return f"{words}s" if " " not in words else words
