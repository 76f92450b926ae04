"""What a plugin module may contain: its hooks, found and checked, and what they register."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeAlias

import pluggy

from clawmesh import hookspecs
from clawmesh.abc.context import Services
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.hooks import Hook
from clawmesh.config.signature import fields_of
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import PluginError

Kind: TypeAlias = Literal["backend", "tool", "memory", "agent"]

REGISTERS: Mapping[str, Kind] = {
    "register_backends": "backend",
    "register_tools": "tool",
    "register_memories": "memory",
    "register_agents": "agent",
}
GUARDS = ("before_model", "before_tool")
# The tools with which agents reach each other and their memory; a plugin's tool must not stand in for one.
RESERVED = frozenset({"ask_agent", "ask_agents", "forget", "publish", "recall", "remember", "send_agent"})
METHODS: Mapping[Kind, Sequence[str]] = {
    "tool": ("call",),
    "backend": ("complete",),
    "memory": ("remember", "recall", "forget"),
}
_MEANT = re.compile(r"(register|before|after)_")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_MARK = f"{hookspecs.PROJECT}_impl"


@dataclass(frozen=True, slots=True)
class Registration:
    """One thing that a plugin offers; `factory` makes it, or is it: an agent, and a tool that is a plain function."""

    kind: Kind
    name: str
    factory: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Manager(pluggy.PluginManager):
    """Knows the hooks; a module-level function that has the name of one needs no mark."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT)
        self.add_hookspecs(hookspecs)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(vars(self.hook))

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return the options of the function's mark, or the usual ones for an unmarked function named as a hook."""
        marked = super().parse_hookimpl_opts(plugin, name)
        if marked is not None or name not in self.names or not _own(plugin, getattr(plugin, name)):
            return marked
        return {
            "wrapper": False,
            "hookwrapper": False,
            "optionalhook": False,
            "tryfirst": False,
            "trylast": False,
            "specname": None,
        }

    def adopt(self, module: ModuleType, name: str) -> None:
        """Register a plugin module after checking its hooks.

        Raises PluginError if a function is meant as a hook and is none, or cannot be called as one.
        """
        self._check(module)
        try:
            self.register(module, name)
        except pluggy.PluginValidationError as error:
            self.unregister(name=name)
            raise PluginError(str(error)) from error
        if not self.get_hookcallers(module):
            self.unregister(name=name)
            raise PluginError(f"defines no hook; a plugin has at least one of {', '.join(self.names)}")

    def registrations(self, name: str) -> Iterator[Registration]:
        """Call a plugin's register hooks; yield what they offer, checked.

        Raises PluginError where that does not fit the hook, and whatever a hook itself raises.
        """
        for hook, kind in REGISTERS.items():
            for implementation in self._implementations(hook, name):
                offered = implementation.function()
                if not isinstance(offered, Mapping):
                    raise PluginError(f"{hook} returned {_article(offered)}, expected a mapping of names to callables")
                for key, value in offered.items():
                    yield _registration(hook, kind, key, value)

    def hooks(self) -> Iterator[Hook]:
        """Yield the wrapper hooks of all plugins in the order of pluggy's calls: the last one loaded comes first."""
        for hook in self.names:
            if hook not in REGISTERS:
                for each in reversed(getattr(self.hook, hook).get_hookimpls()):
                    guard = hook in GUARDS or bool(getattr(each.plugin, "GUARD", False))
                    yield Hook(each.plugin_name, hook, each.function, each.argnames, guard)

    def _implementations(self, hook: str, name: str) -> list[pluggy.HookImpl]:
        return [each for each in getattr(self.hook, hook).get_hookimpls() if each.plugin_name == name]

    def _check(self, module: ModuleType) -> None:
        for name, value in vars(module).items():
            mark = getattr(value, _MARK, None) if inspect.isroutine(value) else None
            hook = (mark or {}).get("specname") or name
            if hook in self.names and (mark or _own(module, value)):
                self._check_hook(hook, value, mark or {})
            elif mark or (_MEANT.match(name) and inspect.isroutine(value) and _own(module, value)):
                raise PluginError(f"{hook} is no hook{did_you_mean(hook, self.names)}")

    def _check_hook(self, hook: str, function: Any, mark: Mapping[str, Any]) -> None:
        if not inspect.isroutine(function):
            raise PluginError(f"{hook} is {_article(function)}, expected a function")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise PluginError(f"{hook} is async; a hook is a plain function, async lives in what it returns")
        if inspect.isgeneratorfunction(function) or mark.get("wrapper") or mark.get("hookwrapper"):
            raise PluginError(f"{hook} is a generator or wrapper; a hook is a plain function that returns")
        allowed = getattr(self.hook, hook).spec.argnames
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
                raise PluginError(f'{hook} has the parameter "{parameter}"; name plain parameters only')
            if parameter.name not in allowed:
                expected = f"it may take {', '.join(allowed)}" if allowed else "it takes none"
                raise PluginError(f'{hook} has an unknown parameter "{parameter.name}"; {expected}')


def _own(module: object, value: object) -> bool:
    """Tell whether a value was made in the plugin, and not only imported into it."""
    home: str | None = getattr(value, "__module__", None) if inspect.isroutine(value) else None
    name = getattr(module, "__name__", "")
    return home is None or home == name or home.startswith(f"{name}.")


def _registration(hook: str, kind: Kind, key: Any, value: Any) -> Registration:
    if not isinstance(key, str):
        raise PluginError(f"{hook}: the key {key!r} is {_article(key)}, expected a string")
    if not _NAME.fullmatch(key):
        raise PluginError(f'{hook}: the name "{key}" is not allowed; use letters, digits, _ and -, at most 64')
    where = f'{hook}: "{key}"'
    if kind == "tool" and key in RESERVED:
        raise PluginError(f"{where} is the name of a tool that ClawMesh itself brings; choose another")
    if not callable(value):
        wanted = "register its class" if hasattr(value, "spec") or hasattr(value, "complete") else _WANTED[kind]
        raise PluginError(f"{where} is {_article(value)} and cannot be called; {wanted}")
    if kind == "agent":
        _check_agent(where, value)
        return Registration(kind, key, value)
    if kind == "tool" and not inspect.isclass(value):
        _check_function(where, value, key)
        return Registration(kind, key, value)
    if inspect.iscoroutinefunction(value):
        raise PluginError(f"{where} is async; a factory is a plain function or class, async lives in what it makes")
    missing = [name for name in METHODS[kind] if not inspect.iscoroutinefunction(getattr(value, name, None))]
    if inspect.isclass(value) and missing:
        raise PluginError(f"{where} is a class without `async def {missing[0]}`; a {kind} needs it")
    check_factory(where, value, positional=("services",))
    return Registration(kind, key, value)


def surroundings(factory: Callable[..., Any], services: Services) -> tuple[Services, ...]:
    """Return the positional arguments that a factory takes: the services if it wants them."""
    wants = any(each.kind is each.POSITIONAL_ONLY for each in inspect.signature(factory).parameters.values())
    return (services,) if wants else ()


def _check_function(where: str, function: Callable[..., Any], name: str) -> None:
    try:
        FunctionTool(function, name)
    except PluginError as error:
        raise PluginError(f"{where}: {error}") from error


_WANTED: Mapping[Kind, str] = {
    "backend": "register a class or function that makes a backend",
    "tool": "register a function, or a class that makes a tool",
    "memory": "register a class or function that makes a memory",
    "agent": "register a coroutine function",
}


def _check_agent(where: str, value: Any) -> None:
    if not inspect.iscoroutinefunction(value):
        raise PluginError(f"{where} is not async; an agent is `async def agent(context, message)`")
    check_factory(where, value, positional=("context", "message"))


def check_factory(where: str, factory: Callable[..., Any], *, positional: tuple[str, ...]) -> None:
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
    except PluginError as error:
        raise PluginError(f"{where}: {error}") from error


def _signature(where: str, factory: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{where}: its signature cannot be read: {error}") from error


def _article(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"
