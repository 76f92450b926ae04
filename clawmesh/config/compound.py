"""Shapes made of other shapes: lists, tables, alternatives and bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Meta, Struct

from clawmesh.config import reference
from clawmesh.config.fault import Faults, looks_like_key, names_secret
from clawmesh.config.scope import Scope
from clawmesh.config.shape import Anything, Reference, Shape, mismatch


class Items(Struct, frozen=True):
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
                return mismatch(value, self)
            value = [value]
        convert = self.item.convert
        converted = [convert(item, scope) for item in value]
        if any(type(item) is Faults for item in converted):
            return gathered(enumerate(converted))
        return self.make(converted)

    def schema(self) -> dict[str, Any]:
        several = {"type": "array", "items": self.item.schema()}
        return {"anyOf": [self.item.schema(), several]} if self.lone else several


class Table(Struct, frozen=True):
    """A table with any keys, all values alike."""

    value: Shape
    kinds: tuple[type, ...] = (dict,)

    @property
    def expected(self) -> str:
        return "a table" if isinstance(self.value, Anything) else f"a table of {_plural(self.value.expected)}"

    def convert(self, value: Any, scope: Scope) -> Any:
        if type(value) is not dict:
            return mismatch(value, self)
        converted = {key: self._convert(key, item, scope) for key, item in value.items()}
        if any(type(item) is Faults for item in converted.values()):
            return gathered(converted.items())
        return converted

    def _convert(self, key: str, value: Any, scope: Scope) -> Any:
        # Whoever takes secrets by reference is given none in the clear, be it as short as it may.
        if type(value) is str and isinstance(self.value, Either) and self.value.secret and names_secret(key):
            return reference.resolve(value, scope)
        return self.value.convert(value, scope)

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.value.schema()}


class Either(Struct, frozen=True):
    """One of several shapes: the first that takes the value."""

    shapes: Sequence[Shape]

    @property
    def expected(self) -> str:
        return " or ".join(shape.expected for shape in self.shapes)

    @property
    def kinds(self) -> tuple[type, ...]:
        return tuple(kind for shape in self.shapes for kind in shape.kinds)

    @property
    def secret(self) -> bool:
        """Whether one of the shapes is a secret by reference."""
        return any(isinstance(shape, Reference) for shape in self.shapes)

    def convert(self, value: Any, scope: Scope) -> Any:
        fitting = [shape for shape in self.shapes if isinstance(value, shape.kinds)]
        if self.secret and isinstance(value, str) and (looks_like_key(value) or not fitting):
            return reference.resolve(value, scope)
        results = [shape.convert(value, scope) for shape in fitting]
        for result in results:
            if type(result) is not Faults:
                return result
        # The only shape that takes this type of value knows best what is wrong inside it, not what else there may be.
        inside = len(results) == 1 and results[0] != mismatch(value, fitting[0])
        return results[0] if inside else mismatch(value, self)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [shape.schema() for shape in self.shapes]}


class Bounded(Struct, frozen=True):
    """Another shape with the limits that `msgspec.Meta` says."""

    inner: Shape
    meta: Meta

    @property
    def expected(self) -> str:
        return " ".join([self.inner.expected, *_bounds(self.meta)])

    @property
    def kinds(self) -> tuple[type, ...]:
        return self.inner.kinds

    def convert(self, value: Any, scope: Scope) -> Any:
        converted = self.inner.convert(value, scope)
        if type(converted) is Faults or self._fits(converted):
            return converted
        return mismatch(value, self)

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
        inner = self.inner.schema()
        size = {"string": "Length", "array": "Items", "object": "Properties"}.get(inner.get("type", ""))
        words = {
            "minimum": self.meta.ge,
            "exclusiveMinimum": self.meta.gt,
            "maximum": self.meta.le,
            "exclusiveMaximum": self.meta.lt,
            f"min{size}": self.meta.min_length if size else None,
            f"max{size}": self.meta.max_length if size else None,
        }
        return inner | {word: bound for word, bound in words.items() if bound is not None}


def _bounds(meta: Meta) -> list[str]:
    """Return the words for the bounds, in the order in which they read well."""
    words = {
        "of at least": meta.ge if meta.le is None else None,
        "from": meta.ge if meta.le is not None else None,
        "to" if meta.ge is not None else "of at most": meta.le,
        "above": meta.gt,
        "below": meta.lt,
        "of length at least": meta.min_length if meta.min_length != 1 else None,
        "of length at most": meta.max_length,
    }
    empty = ["that is not empty"] if meta.min_length == 1 else []
    return [f"{word} {bound}" for word, bound in words.items() if bound is not None] + empty


def gathered(converted: Iterable[tuple[str | int, Any]]) -> Faults:
    """Return the faults among converted items, each under its key or index."""
    return Faults(fault for step, item in converted if type(item) is Faults for fault in item.under(step))


def _plural(expected: str) -> str:
    """Turn "a string" into "strings"; longer phrases stay as they are."""
    words = expected.split(" ", 1)[-1] if expected.startswith(("a ", "an ")) else expected
    return f"{words}s" if " " not in words else words
