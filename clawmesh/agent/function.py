"""Tools from plain functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from clawmesh.abc.context import Context
from clawmesh.abc.tool import MARK, Effect, Mark, Output, ToolSpec
from clawmesh.agent.parameter import Parameters
from clawmesh.agent.threads import Threads
from clawmesh.errors import ClawmeshError, PluginError, ToolError
from clawmesh.messages import Image, Text


class FunctionTool:
    """A plain function as a tool: hints become the schema of its arguments, the docstring its description.

    A coroutine function is awaited, any other runs in a worker thread. A first parameter annotated `Context` receives
    the surroundings of the call and is no argument of the tool.

    Raises PluginError, naming function and parameter, where that is not possible.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise PluginError(f"{function.__qualname__}: is a generator; a tool returns its result")
        self._function = function
        self._parameters = Parameters.of(function, name)
        self._async = inspect.iscoroutinefunction(inspect.unwrap(function))
        self._threads = Threads(name)
        mark = getattr(function, MARK, None) or Mark(Effect.UNSAFE, False)
        self.spec = ToolSpec(name, _description(function), self._parameters.schema, mark.effect, mark.approval)

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> Output:
        """Call the function with checked arguments.

        Raises:
            ArgumentError: the arguments do not fit, and how.
            ToolError: the function raised, or its result has no JSON form.
        """
        values = self._parameters.convert(arguments)
        call = partial(self._function, *([context] if self._parameters.context else []), **values)
        try:
            result = await call() if self._async else await self._threads.run(call)
        except ClawmeshError:
            raise
        except (Exception, SystemExit) as error:
            raise ToolError(f"{type(error).__name__}: {error}") from error
        return _output(result)


def _description(function: Callable[..., Any]) -> str:
    document = inspect.getdoc(function)
    if not document:
        raise PluginError(f"{function.__qualname__}: has no docstring; it is what the model reads to choose the tool")
    return " ".join(document.split("\n\n")[0].split())


def _output(value: Any) -> Output:
    """Return text and images as they are, everything else as JSON."""
    if isinstance(value, (str, Text, Image)):
        return value
    if value is None:
        return ""
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, (Text, Image)) for part in value):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise ToolError(
            f"the tool returned a {type(value).__name__}, which cannot be shown as text: {error}"
        ) from error
