"""The wrapper hooks of plugins around model calls and tool calls: in order, timed, and closed where they guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from clawmesh.abc.backend import Reply, Request
from clawmesh.abc.context import Context
from clawmesh.clock import Clock
from clawmesh.errors import RefusedError
from clawmesh.messages import ToolCall, ToolResult

SLOW_SECONDS = 0.1

T = TypeVar("T")


class Hook(Struct, frozen=True):
    """A plugin's function for the hook `name`; it takes those of the hook's values that `parameters` names.

    If a guard fails, the action is refused; the failure of any other hook leaves the value as it was.
    """

    plugin: str
    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    guard: bool


class Incident(Struct, frozen=True):
    """A wrapper hook that failed (`error`) or took longer than 0.1 s (`seconds`)."""

    plugin: str
    hook: str
    seconds: float
    error: BaseException | None = None

    def __str__(self) -> str:
        if self.error is None:
            return f"plugin {self.plugin}: {self.hook} has taken {self.seconds:.2f} s; the whole mesh waits for it"
        return f"plugin {self.plugin}: {self.hook} failed: {type(self.error).__name__}: {self.error}"


class Hooks:
    """Calls every hook in turn; each sees what the one before it made of the value."""

    def __init__(self, hooks: Sequence[Hook], report: Callable[[Incident], None], clock: Clock) -> None:
        self._report = report
        self._clock = clock
        self._before_model = _named(hooks, "before_model")
        self._after_model = _named(hooks, "after_model")
        self._before_tool = _named(hooks, "before_tool")
        self._after_tool = _named(hooks, "after_tool")

    @property
    def names(self) -> tuple[str, ...]:
        """The hooks that are in use, as `hook (plugin)`, in the order of their calls."""
        hooks = (*self._before_model, *self._after_model, *self._before_tool, *self._after_tool)
        return tuple(f"{hook.name} ({hook.plugin})" for hook in hooks)

    @property
    def reviews_models(self) -> bool:
        """Whether a reply may be changed or refused, so that nobody may see it before."""
        return bool(self._after_model)

    def before_model(self, agent: str, request: Request) -> Request:
        """Return the request to send; raises RefusedError if a hook refuses it."""
        for hook in self._before_model:
            request = self._call(hook, request, {"agent": agent, "request": request})
        return request

    def after_model(self, agent: str, request: Request, reply: Reply) -> Reply:
        """Return the reply to go on with; raises RefusedError if a hook refuses it."""
        for hook in self._after_model:
            reply = self._call(hook, reply, {"agent": agent, "request": request, "reply": reply})
        return reply

    def before_tool(self, context: Context, call: ToolCall) -> ToolCall:
        """Return the call to run; raises RefusedError if a hook refuses it."""
        for hook in self._before_tool:
            call = self._call(hook, call, {"context": context, "call": call})
        return call

    def after_tool(self, context: Context, call: ToolCall, result: ToolResult) -> ToolResult:
        """Return the result to show to the model; raises RefusedError if a hook refuses it."""
        for hook in self._after_tool:
            result = self._call(hook, result, {"context": context, "call": call, "result": result})
        return result

    def _call(self, hook: Hook, value: T, values: Mapping[str, Any]) -> T:
        started = self._clock.monotonic()
        error: BaseException | None = None
        changed: Any = None
        try:
            changed = _checked(hook.function(*[values[name] for name in hook.parameters]), type(value))
        except RefusedError:
            raise
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - a plugin may raise anything; it is judged below
            error, changed = raised, None
        seconds = self._clock.monotonic() - started
        if error is not None or seconds > SLOW_SECONDS:
            self._report(Incident(hook.plugin, hook.name, seconds, error))
        if error is not None and hook.guard:
            raise RefusedError(f"the guard {hook.name} of plugin {hook.plugin} failed, so nothing passes") from error
        return value if changed is None else changed


def _named(hooks: Sequence[Hook], name: str) -> tuple[Hook, ...]:
    return tuple(hook for hook in hooks if hook.name == name)


def _checked(changed: Any, expected: type[T]) -> T | None:
    if changed is not None and not isinstance(changed, expected):
        raise TypeError(f"returned {type(changed).__name__}, expected {expected.__name__} or None")
    return changed
