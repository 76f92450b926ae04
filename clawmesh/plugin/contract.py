"""What a plugin module may contain: its hooks, found and checked, and called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

import pluggy

from clawmesh import hookspecs
from clawmesh.agent.hooks import Hook
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import PluginError
from clawmesh.plugin.registration import Kind, Registration, article, registered

REGISTERS: Mapping[str, Kind] = {
    "register_backends": "backend",
    "register_tools": "tool",
    "register_memories": "memory",
    "register_agents": "agent",
}
GUARDS = ("before_model", "before_tool")
_MEANT = re.compile(r"(register|before|after)_")
_MARK = f"{hookspecs.PROJECT}_impl"


class Adopted:
    """The hooks of one plugin, which is all of it that pluggy has to look through."""

    def __init__(self, hooks: Mapping[str, Callable[..., Any]], *, guard: bool) -> None:
        self.__dict__.update(hooks)
        self._hooks = hooks
        self._guard = guard

    def __dir__(self) -> Iterable[str]:
        return self._hooks

    def guards(self, hook: str) -> bool:
        """Tell whether the failure of this hook refuses the action."""
        return self._guard or hook in GUARDS


class Manager(pluggy.PluginManager):
    """Knows the hooks; a module-level function that has the name of one needs no mark."""

    def __init__(self) -> None:
        super().__init__(hookspecs.PROJECT)
        self.add_hookspecs(hookspecs)
        self.names = tuple(vars(self.hook))

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return the options of the function's mark, or the usual ones where it has none."""
        return super().parse_hookimpl_opts(plugin, name) or {
            "wrapper": False,
            "hookwrapper": False,
            "optionalhook": False,
            "tryfirst": False,
            "trylast": False,
            "specname": None,
        }

    def adopt(self, module: ModuleType, name: str) -> None:
        """Register a plugin module's hooks.

        Raises PluginError if it has none, or a function is meant as a hook and is none, or cannot be called as one.
        """
        hooks = dict(self._hooks(module))
        if not hooks:
            raise PluginError(f"defines no hook; a plugin has at least one of {', '.join(self.names)}")
        self.register(Adopted(hooks, guard=bool(getattr(module, "GUARD", False))), name)

    def registrations(self, name: str) -> Iterator[Registration]:
        """Call a plugin's register hooks; yield what they offer, checked.

        Raises PluginError where that does not fit the hook, and whatever a hook itself raises.
        """
        for hook, kind in REGISTERS.items():
            for implementation in self._implementations(hook, name):
                offered = implementation.function()
                if not isinstance(offered, Mapping):
                    raise PluginError(f"{hook} returned {article(offered)}, expected a mapping of names to callables")
                for key, value in offered.items():
                    yield registered(hook, kind, key, value)

    def hooks(self) -> Iterator[Hook]:
        """Yield the wrapper hooks of all plugins in the order of pluggy's calls: the last one loaded comes first."""
        for hook in self.names:
            if hook not in REGISTERS:
                for each in reversed(getattr(self.hook, hook).get_hookimpls()):
                    yield Hook(each.plugin_name, hook, each.function, each.argnames, each.plugin.guards(hook))

    def _implementations(self, hook: str, name: str) -> list[pluggy.HookImpl]:
        return [each for each in getattr(self.hook, hook).get_hookimpls() if each.plugin_name == name]

    def _hooks(self, module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Yield the module's hooks, checked, each with the name that it has there."""
        for name, value in vars(module).items():
            mark = getattr(value, _MARK, None) if isinstance(value, FunctionType) else None
            if not mark and not (_MEANT.match(name) and _own(module, value)):
                continue
            hook = (mark or {}).get("specname") or name
            if hook in self.names:
                self._check_hook(hook, value, mark or {})
                yield name, value
            elif inspect.isroutine(value):
                raise PluginError(f"{hook} is no hook{did_you_mean(hook, self.names)}")

    def _check_hook(self, hook: str, function: Any, mark: Mapping[str, Any]) -> None:
        if not inspect.isroutine(function):
            raise PluginError(f"{hook} is {article(function)}, expected a function")
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


def _own(module: ModuleType, value: object) -> bool:
    """Tell whether a value was made in the plugin, and not only imported into it."""
    home: str | None = getattr(value, "__module__", None) if inspect.isroutine(value) else None
    return home is None or home == module.__name__ or home.startswith(f"{module.__name__}.")
