"""The tools of one agent: which there are, and how a model's calls are run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import anyio
import anyio.lowlevel
from msgspec import DecodeError, structs
from msgspec.json import decode

from clawmesh.abc.context import Context
from clawmesh.abc.tool import Effect, Output, Tool, ToolSpec
from clawmesh.agent.content import content
from clawmesh.agent.record import UNKNOWN, Record
from clawmesh.config.model import Limits
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ArgumentError, ClawmeshError, RefusedError, ToolError
from clawmesh.messages import ToolCall, ToolResult


class ToolHooks(Protocol):
    """The wrapper hooks of plugins around a tool call."""

    def before_tool(self, context: Context, call: ToolCall) -> ToolCall: ...

    def after_tool(self, context: Context, call: ToolCall, result: ToolResult) -> ToolResult: ...


class Toolbox:
    """Runs calls side by side; whatever goes wrong in one becomes a failed result that the model sees."""

    def __init__(self, tools: Mapping[str, Tool], limits: Limits, hooks: ToolHooks) -> None:
        self._tools = tools
        self._limits = limits
        self._hooks = hooks
        # The configuration names a tool, not its plugin: two tables may configure the same one.
        self.specs: tuple[ToolSpec, ...] = tuple(structs.replace(tool.spec, name=name) for name, tool in tools.items())

    async def run(self, context: Context, calls: Sequence[ToolCall], record: Record) -> tuple[ToolResult, ...]:
        """Run the calls, at most `limits.parallel_tools` at once; results come in the order of the calls.

        Each runs under an idempotency key of its own; what `record` has the result of is not run again.

        Raises:
            StorageError: a result cannot be kept.
        """
        if len(calls) == 1:
            result = await self._one(context.under(record.key(calls[0])), calls[0], record)
            context.emit(result)
            return (result,)
        contexts = [context.under(record.key(call)) for call in calls]
        results: dict[int, ToolResult] = {}
        limiter = anyio.CapacityLimiter(self._limits.parallel_tools)

        async def one(index: int, call: ToolCall) -> None:
            async with limiter:
                results[index] = await self._one(contexts[index], call, record)
                context.emit(results[index])

        with _ungrouped():
            async with anyio.create_task_group() as tasks:
                for index, call in enumerate(calls):
                    tasks.start_soon(one, index, call)
        return tuple(results[index] for index in range(len(calls)))

    async def _one(self, context: Context, call: ToolCall, record: Record) -> ToolResult:
        if known := record.result(context.key):
            return structs.replace(known, call=call.id)
        began = context.services.clock.monotonic()
        result = await self._made(context, call, record)
        record.gave(context.key, result, context.services.clock.monotonic() - began)
        return result

    async def _made(self, context: Context, call: ToolCall, record: Record) -> ToolResult:
        """Return a result that answers this very call, whatever the hooks made of the call and its result."""
        made = call
        try:
            made = structs.replace(self._hooks.before_tool(context, call), id=call.id)
            result = ToolResult(call.id, call.name, content(made.name, await self._call(context, made, record)))
        except ClawmeshError as error:
            result = failed(call, str(error))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the model is told, the turn goes on
            result = failed(call, f"the tool broke: {type(error).__name__}: {error}")
        try:
            return structs.replace(self._hooks.after_tool(context, made, result), call=call.id, name=call.name)
        except ClawmeshError as error:
            return failed(call, str(error))

    async def _call(self, context: Context, call: ToolCall, record: Record) -> Output:
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolError(
                f'there is no tool "{call.name}"{did_you_mean(call.name, self._tools, otherwise="there are")}'
            )
        if tool.spec.approval:
            raise RefusedError(f"{call.name} needs a person's approval, and there is nobody to give it here")
        if tool.spec.effect is Effect.UNSAFE and record.begun(context.key):
            raise ToolError(f"{call.name}: {UNKNOWN}")
        await record.intend(context.key, call, tool.spec.effect)
        with anyio.move_on_after(self._limits.tool_seconds):
            return await _contained(tool, context, call)
        raise ToolError(f"{call.name} gave no result within {self._limits.tool_seconds:g} s and was stopped")


@contextmanager
def _ungrouped() -> Iterator[None]:
    """Let the first failure of a task group come out as itself; what came with it stays in its cause."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
        raise first from (group if len(group.exceptions) > 1 else first.__cause__)


async def _contained(tool: Tool, context: Context, call: ToolCall) -> Output:
    """Call a tool so that neither an exit nor a cancellation of its own goes further than this call."""
    try:
        return await tool.call(context, _arguments(call))
    except anyio.get_cancelled_exc_class() as error:
        await anyio.lowlevel.checkpoint_if_cancelled()  # raises where the cancellation is ours: then it goes on
        _forget_cancellation()
        raise ToolError(f"{call.name} broke: it cancelled itself") from error
    except (SystemExit, BaseExceptionGroup) as error:
        raise ToolError(f"{call.name} broke: {type(error).__name__}: {error}") from error


def _forget_cancellation() -> None:
    """Take back what a tool asked of the task that it runs in, or the task would never count as free again."""
    task = asyncio.current_task()
    while task is not None and task.uncancel():
        pass


def failed(call: ToolCall, reason: str) -> ToolResult:
    """Return the result of a call that gave none."""
    return ToolResult(call.id, call.name, content(call.name, reason), failed=True)


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = decode(call.arguments or "{}")
    except (DecodeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"the arguments are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ArgumentError(f"the arguments are {type(arguments).__name__}, expected an object")
    return arguments
