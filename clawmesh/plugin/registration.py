"""What a plugin registers, one thing at a time: checked so that the host can make it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from clawmesh.abc.context import Services
from clawmesh.abc.tool import ToolSpec
from clawmesh.agent.function import FunctionTool
from clawmesh.config.agents import LLM
from clawmesh.config.signature import fields_of
from clawmesh.errors import ClawmeshError, PluginError

Kind: TypeAlias = Literal["backend", "tool", "memory", "agent"]

# What a plugin must not stand in for: the tools with which agents reach each other and their memory, and the agent
# whose work a model does.
RESERVED: Mapping[Kind, frozenset[str]] = {
    "tool": frozenset({"ask_agent", "ask_agents", "forget", "publish", "recall", "remember", "send_agent"}),
    "agent": frozenset({LLM}),
}
METHODS: Mapping[Kind, Sequence[str]] = {
    "tool": ("call",),
    "backend": ("complete",),
    "memory": ("remember", "recall", "forget"),
}
_WANTED: Mapping[Kind, str] = {
    "backend": "register a class or function that makes a backend",
    "tool": "register a function, or a class that makes a tool",
    "memory": "register a class or function that makes a memory",
    "agent": "register a coroutine function",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Registration(Struct, frozen=True):
    """One thing that a plugin offers; `factory` makes it, or is it: an agent, and a tool that is a plain function."""

    kind: Kind
    name: str
    factory: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def registered(hook: str, kind: Kind, key: Any, value: Any) -> Registration:
    """Return what a register hook offers under a key; raises PluginError, naming what is wrong with it."""
    if not isinstance(key, str):
        raise PluginError(f"{hook}: the key {key!r} is {article(key)}, expected a string")
    if not _NAME.fullmatch(key):
        raise PluginError(f'{hook}: the name "{key}" is not allowed; use letters, digits, _ and -, at most 64')
    where = f'{hook}: "{key}"'
    if key in RESERVED.get(kind, ()):
        raise PluginError(f"{where} is the name of {with_article(kind)} that ClawMesh itself brings; choose another")
    if not callable(value):
        wanted = "register its class" if hasattr(value, "spec") or hasattr(value, "complete") else _WANTED[kind]
        raise PluginError(f"{where} is {article(value)} and cannot be called; {wanted}")
    if kind == "agent":
        _check_agent(where, value)
        return Registration(kind, key, value)
    if kind == "tool" and not inspect.isclass(value):
        _check_function(where, value, key)
        return Registration(kind, key, value)
    if inspect.iscoroutinefunction(value):
        raise PluginError(f"{where} is async; a factory is a plain function or class, async lives in what it makes")
    for missing in _missing(kind, value) if inspect.isclass(value) else []:
        raise PluginError(f"{where} is a class without `async def {missing}`; a {kind} needs it")
    _check_factory(where, value, positional=("services",))
    return Registration(kind, key, value)


def make(kind: Kind, factory: Callable[..., Any], services: Services, arguments: Mapping[str, Any]) -> Any:
    """Call a factory with its services, if it takes them, and its configuration; return what it made.

    Raises PluginError if it fails, or what it made cannot do the work of its kind.
    """
    wants = any(each.kind is each.POSITIONAL_ONLY for each in inspect.signature(factory).parameters.values())
    try:
        made = factory(*([services] if wants else []), **arguments)
    except ClawmeshError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"its plugin failed: {type(error).__name__}: {error}") from error
    for missing in _missing(kind, made):
        raise PluginError(f"its plugin made {article(made)} without `async def {missing}`; a {kind} needs it")
    if kind == "tool" and not isinstance(getattr(made, "spec", None), ToolSpec):
        raise PluginError(f"its plugin made {article(made)} without a ToolSpec as its `spec`; a tool needs it")
    return made


def _missing(kind: Kind, made: Any) -> list[str]:
    return [name for name in METHODS[kind] if not inspect.iscoroutinefunction(getattr(made, name, None))]


def _check_function(where: str, function: Callable[..., Any], name: str) -> None:
    try:
        FunctionTool(function, name)
    except PluginError as error:
        raise PluginError(f"{where}: {error}") from error


def _check_agent(where: str, value: Any) -> None:
    if not inspect.iscoroutinefunction(value):
        raise PluginError(f"{where} is not async; an agent is `async def agent(context, message)`")
    _check_factory(where, value, positional=("context", "message"))


def _check_factory(where: str, factory: Callable[..., Any], *, positional: tuple[str, ...]) -> None:
    """Check that the host can call a factory: positional parameters as given, every other by keyword only.

    `positional` names what the host gives; a factory may leave out its only one.
    """
    parameters = list(_signature(where, factory).parameters.values())
    given = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PluginError(f'{where} has the parameter "{parameter}"; its signature is the schema, so name each one')
    if len(positional) > 1 and len(given) != len(positional):
        raise PluginError(f"{where} takes {len(given)} positional parameters, expected ({', '.join(positional)})")
    for parameter in given if len(positional) == 1 else []:
        if parameter.kind is not parameter.POSITIONAL_ONLY or parameter is not given[0]:
            hint = "write `*, ` before what the configuration sets, and `services, /` for the host's services"
            raise PluginError(f'{where} has the positional parameter "{parameter.name}"; {hint}')
    try:
        fields_of(factory)
    except (PluginError, TypeError) as error:  # TypeError: it has no place for type hints, as a partial has none
        raise PluginError(f"{where}: {error}") from error


def _signature(where: str, factory: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{where}: its signature cannot be read: {error}") from error


def article(value: Any) -> str:
    return "None" if value is None else with_article(type(value).__name__)


def with_article(name: str) -> str:
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"
