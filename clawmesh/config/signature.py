"""A signature is a schema: keyword-only parameters of a callable, or the fields of a record, are keys in TOML."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct, structs

from clawmesh.config import mark
from clawmesh.config.compound import Bounded, Either, Items, Table
from clawmesh.config.fault import Faults
from clawmesh.config.model import Component
from clawmesh.config.record import Field, Record, convert_table
from clawmesh.config.scope import Scope
from clawmesh.config.shape import (
    BOOLEAN,
    INTEGER,
    STRING,
    Anything,
    Choice,
    FilePath,
    Number,
    Reference,
    Shape,
    Span,
)
from clawmesh.errors import ConfigError, PluginError
from clawmesh.secret import Secret

_SIMPLE: Mapping[Any, Shape] = {
    str: STRING,
    int: INTEGER,
    float: Number(),
    bool: BOOLEAN,
    Path: FilePath(),
    Secret: Reference(),
    Any: Anything(),
    object: Anything(),
}
_LISTS = {list: list, tuple: tuple, Sequence: tuple}


@lru_cache(maxsize=1024)
def fields_of(source: Callable[..., Any]) -> Mapping[str, Field]:
    """Return the configuration keys by name: a record's fields, or another callable's keyword-only parameters.

    Raises:
        PluginError: a parameter has no type hint, or one which no TOML value can have.
    """
    hints = _hints(source)
    docs = _docs(source)
    fields = {}
    for name, default in _defaults(source).items():
        if name not in hints:
            raise PluginError(f'parameter "{name}" of {_name(source)} has no type hint, which its configuration needs')
        shape = shape_of(hints[name], f'parameter "{name}" of {_name(source)}')
        required = default is inspect.Parameter.empty
        fields[name] = Field(name, shape, required, None if required else default, docs.get(name, ""))
    return fields


def convert(value: Any, field: Field, scope: Scope) -> Any:
    """Return a TOML value as the field's type, or `Faults`."""
    return field.shape.convert(value, scope)


def bind(component: Component, source: Callable[..., Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments that a component's table says for the callable it is made by; secrets are read.

    Raises:
        ConfigError: all that is wrong with the table, each with its place.
    """
    scope = Scope(component.place.file.parent, environ)
    values = convert_table(component.arguments, fields_of(source), scope)
    if isinstance(values, Faults):
        raise ConfigError(component.place.problems(values))
    return values


def shape_of(annotation: Any, what: str) -> Shape:
    """Return the shape of an annotation; `what` names the parameter for the error.

    Raises:
        PluginError: no TOML value can have this type.
    """
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(shape_of(arguments[0], what), arguments[1:])
    if origin in (Union, UnionType):
        shapes = [shape_of(argument, what) for argument in arguments if argument is not NoneType]
        return shapes[0] if len(shapes) == 1 else Either(shapes)
    if origin is Literal:
        return Choice({option: option for option in arguments})
    if origin in _LISTS or annotation in _LISTS:
        items = [argument for argument in arguments if argument is not Ellipsis]
        return Items(shape_of(items[0], what) if items else Anything(), _LISTS[origin or annotation])
    if _is_mapping(origin or annotation):
        return Table(shape_of(arguments[1], what) if arguments else Anything())
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Choice({member.value: member for member in annotation})
    if _is_record(annotation):
        return Record(annotation, fields_of(annotation))
    raise PluginError(f"{what} has the type {annotation}, which cannot be written in TOML")


def _annotated(shape: Shape, marks: Sequence[Any]) -> Shape:
    for one in marks:
        if isinstance(one, mark.Span):
            shape = Span()
        elif isinstance(one, mark.Lone) and isinstance(shape, Items):
            shape = structs.replace(shape, lone=True)
        elif isinstance(one, Meta):
            shape = Bounded(shape, one)
    return shape


def _is_mapping(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Mapping)


def _hints(source: Callable[..., Any]) -> dict[str, Any]:
    annotated: Any = source
    if isinstance(source, type) and not _is_record(source):
        annotated = inspect.getattr_static(source, "__init__")
    try:
        return get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise PluginError(f"the type hints of {_name(source)} name {error.name!r}, which its module lacks") from error


def _is_record(source: Any) -> bool:
    return isinstance(source, type) and (dataclasses.is_dataclass(source) or issubclass(source, Struct))


def _defaults(source: Callable[..., Any]) -> dict[str, Any]:
    """Return the default by key, `Parameter.empty` where there is none."""
    parameters = inspect.signature(source).parameters.values()
    every = _is_record(source)
    return {one.name: one.default for one in parameters if every or one.kind is one.KEYWORD_ONLY}


def _docs(source: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring says of each key, on lines of its own such as `base_url: where the server listens`."""
    text = inspect.cleandoc(source.__doc__ or "")
    pairs = re.findall(r"^[ \t]*(\w+):[ \t]+(\S.*(?:\n[ \t]{2,}(?!\w+:[ \t])\S.*)*)", text, re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in pairs}


def _name(source: Callable[..., Any]) -> str:
    return getattr(source, "__qualname__", None) or repr(source)
