"""The parameters of a plain function, as a model sees them: hints become JSON Schema, the docstring says the rest."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from clawmesh.abc.context import Context
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ArgumentError, PluginError

_SECTION = re.compile(r"^(\w[\w ]*):\s*$")
_ARGUMENT = re.compile(r"^(\w+)(?:\s*\([^)]*\))?:\s*(.*)$")
_SHOWN = 80


class Parameter(Struct, frozen=True):
    """One argument of a tool: its hint, its JSON Schema, and whether the model must give it."""

    name: str
    hint: Any
    schema: Mapping[str, Any]
    required: bool


class Parameters(Struct, frozen=True):
    """All arguments of a tool; `context` says that the function's first parameter takes the `Context` instead."""

    tool: str
    context: bool
    fields: Mapping[str, Parameter]
    definitions: Mapping[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any], tool: str) -> Parameters:
        """Read a function's signature and docstring.

        Raises PluginError, naming function and parameter, where they cannot become a schema.
        """
        hints = _hints(function)
        context = next(iter(hints.values()), None) is Context
        notes = _documented(inspect.getdoc(function) or "")
        definitions: dict[str, Any] = {}
        fields = {}
        for name, hint in list(hints.items())[context:]:
            default = inspect.signature(function).parameters[name].default
            where = f'{function.__qualname__}: parameter "{name}"'
            schema, components = _schema(where, hint)
            definitions |= components
            if name in notes:
                schema = {"description": notes[name], **schema}
            if default is not inspect.Parameter.empty:
                schema = {**schema, "default": _plain(where, default)}
            fields[name] = Parameter(name, hint, schema, default is inspect.Parameter.empty)
        return cls(tool, context, fields, definitions)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments, an object that takes no other keys."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: dict(field.schema) for name, field in self.fields.items()},
            "required": [name for name, field in self.fields.items() if field.required],
            "additionalProperties": False,
        }
        return {**schema, "$defs": dict(self.definitions)} if self.definitions else schema

    def convert(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function's hints have them.

        Raises ArgumentError, naming every argument that does not fit, what was found and what is expected.
        """
        problems = [self._unknown(name) for name in arguments if name not in self.fields]
        values = {}
        for name, field in self.fields.items():
            if name not in arguments:
                if field.required:
                    problems.append(f"{name}: missing; expected {_expected(field.schema)}")
                continue
            try:
                values[name] = msgspec.convert(arguments[name], field.hint)
            except msgspec.ValidationError as error:
                problems.append(_misfit(field, arguments[name], error))
        if problems:
            raise ArgumentError(f"the arguments of {self.tool} do not fit: " + "; ".join(problems))
        return values

    def _unknown(self, name: str) -> str:
        return f"{name}: there is no such argument{did_you_mean(name, self.fields)}"


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the resolved hint of every parameter, in order."""
    what = getattr(function, "__qualname__", repr(function))
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise PluginError(f"{what}: its signature cannot be read: {error}") from error
    space = getattr(inspect.unwrap(function), "__globals__", {})
    hints: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.annotation is parameter.empty:
            raise PluginError(f'{what}: parameter "{name}" has no type hint; write for example "{name}: str"')
        hints[name] = _resolved(f'{what}: parameter "{name}"', parameter.annotation, space)
        _check_kind(f'{what}: parameter "{parameter}"', parameter, hints[name] is Context, first=len(hints) == 1)
    return hints


def _resolved(where: str, annotation: Any, space: dict[str, Any]) -> Any:
    holder = SimpleNamespace(__annotations__={"hint": annotation})
    try:
        return get_type_hints(holder, space, include_extras=True)["hint"]
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise PluginError(f"{where}: the hint {annotation!r} cannot be resolved: {error}") from error


def _check_kind(where: str, parameter: inspect.Parameter, context: bool, *, first: bool) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise PluginError(f"{where} has no schema; name every parameter of a tool")
    if context and not first:
        raise PluginError(f"{where}: the Context must be the first parameter")
    if parameter.kind is parameter.POSITIONAL_ONLY and not context:
        raise PluginError(f"{where} is positional-only; a model gives arguments by name")


def _schema(where: str, hint: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        (schema,), components = msgspec.json.schema_components([hint], ref_template="#/$defs/{name}")
    except TypeError as error:
        reason = str(error).splitlines()[-1]
        raise PluginError(f"{where}: the hint {hint!r} has no JSON Schema: {reason}") from error
    return schema, components


def _plain(where: str, default: Any) -> Any:
    try:
        return msgspec.to_builtins(default)
    except TypeError as error:
        raise PluginError(f"{where}: the default {default!r} has no JSON form: {error}") from error


def _documented(document: str) -> dict[str, str]:
    """Return what the docstring's `Args:` section says of each parameter, joined to one line each."""
    notes: dict[str, str] = {}
    inside, depth, name = False, 0, ""
    for line in document.splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 0 and line.strip():
            heading = _SECTION.match(line)
            inside, depth = bool(heading and heading[1] in ("Args", "Arguments", "Parameters")), 0
        elif inside and line.strip():
            depth = depth or indent
            start = _ARGUMENT.match(line.strip()) if indent == depth else None
            if start:
                name = start[1]
            notes[name] = start[2] if start else f"{notes.get(name, '')} {line.strip()}".strip()
    return notes


def _misfit(field: Parameter, found: Any, error: msgspec.ValidationError) -> str:
    choices = field.schema.get("enum")
    expected = f"expected {_expected(field.schema)}" if choices else str(error).replace("Expected", "expected", 1)
    return f"{field.name}: {expected}; found {_shown(found)}"


def _expected(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(_shown, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(_expected(choice) for choice in schema["anyOf"])
    return str(schema.get("type", "a value" if "$ref" not in schema else "object"))


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
