"""What a single value may be: how it is converted from TOML, how errors call it, how an editor is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from clawmesh.config import duration, reference
from clawmesh.config.fault import Faults, describe
from clawmesh.config.scope import Scope


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


class Scalar(Struct, frozen=True):
    """A string, an integer or a boolean: exactly that type, for true is no integer here."""

    kind: type
    expected: str
    name: str

    @property
    def kinds(self) -> tuple[type, ...]:
        return (self.kind,)

    def convert(self, value: Any, scope: Scope) -> Any:
        return value if type(value) is self.kind else mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"type": self.name}


STRING = Scalar(str, "a string", "string")
INTEGER = Scalar(int, "an integer", "integer")
BOOLEAN = Scalar(bool, "true or false", "boolean")


class Number(Struct, frozen=True):
    expected: str = "a number"
    kinds: tuple[type, ...] = (int, float)

    def convert(self, value: Any, scope: Scope) -> Any:
        return float(value) if type(value) in self.kinds and math.isfinite(value) else mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"type": "number"}


class Span(Struct, frozen=True):
    """A span of time, in seconds."""

    expected: str = 'seconds, or a duration such as "30s", "5m", "2h"'
    kinds: tuple[type, ...] = (int, float, str)

    def convert(self, value: Any, scope: Scope) -> Any:
        seconds = duration.parse(value)
        return mismatch(value, self) if seconds is None else seconds

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": duration.PATTERN}]}


class FilePath(Struct, frozen=True):
    """A path; what is relative starts at the configuration file."""

    expected: str = "a path"
    kinds: tuple[type, ...] = (str,)

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not str or not value or "\0" in value:
            return mismatch(value, self)
        return scope.path(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


class Reference(Struct, frozen=True):
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


class Anything(Struct, frozen=True):
    expected: str = "a value"
    kinds: tuple[type, ...] = (object,)

    def convert(self, value: Any, scope: Scope) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {}


class Choice(Struct, frozen=True):
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
        return mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


def mismatch(value: Any, shape: Shape) -> Faults:
    return Faults.of(f"found {describe(value)}, expected {shape.expected}")


def _constant(option: Any) -> str:
    return f'"{option}"' if isinstance(option, str) else str(option).lower()
