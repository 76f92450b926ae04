from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from clawmesh.abc.context import Context, Services
from clawmesh.abc.tool import Output, ToolSpec
from clawmesh.agent.hooks import Hook, Hooks
from clawmesh.agent.record import Record
from clawmesh.agent.toolbox import Toolbox
from clawmesh.config.model import Limits
from clawmesh.journal.memory import MemoryJournal
from clawmesh.messages import Emit, Piece, ToolCall, ToolResult
from clawmesh.plugin.example import NoPeers
from clawmesh.testing import ManualClock, seeded_ids

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


class ClassTool:
    """A tool as a plugin's class makes it: nothing stands between its `call` and the toolbox."""

    def __init__(self, work: Callable[[Context], Awaitable[Any]], *, approval: bool = False) -> None:
        self.spec = ToolSpec("work", "Work.", {"type": "object"}, approval=approval)
        self._work = work

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> Output:
        result: Output = await self._work(context)
        return result


def make_context(emit: Emit | None = None) -> Context:
    services = Services(NOWHERE, ManualClock(), seeded_ids(), random.Random(0), Path())
    return Context("a/s", "env_1", NoPeers(), services, emit or (lambda _: None))


def make_record() -> Record:
    return Record(MemoryJournal(ManualClock()), ManualClock(), "env_1", ())


def make_toolbox(work: Callable[[Context], Awaitable[Any]], *hooks: Hook, limits: Limits | None = None) -> Toolbox:
    return Toolbox({"work": ClassTool(work)}, limits or Limits(), Hooks(hooks, lambda _: None, ManualClock()))


async def run(work: Callable[[Context], Awaitable[Any]], *hooks: Hook) -> ToolResult:
    (result,) = await make_toolbox(work, *hooks).run(make_context(), [ToolCall("1", "work")], make_record())
    return result


async def cancel_own_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (asyncio.CancelledError(), "work broke: it cancelled itself"),
        (SystemExit(3), "work broke: SystemExit: 3"),
        (BaseExceptionGroup("both", [SystemExit(3)]), "work broke: BaseExceptionGroup: both (1 sub-exception)"),
    ],
)
async def test_what_a_tool_raises_goes_no_further(error: BaseException, reason: str) -> None:
    async def work(context: Context) -> str:
        raise error

    result = await run(work)
    assert (result.failed, result.text) == (True, reason)


async def test_a_tool_that_cancels_its_task_cancels_nothing_else() -> None:
    async def work(context: Context) -> str:
        if first.pop():
            await cancel_own_task()
        await anyio.lowlevel.checkpoint()
        return "done"

    first = [False, True]
    calls = [ToolCall("1", "work"), ToolCall("2", "work")]
    results = await make_toolbox(work).run(make_context(), calls, make_record())
    assert [result.text for result in results] == ["work broke: it cancelled itself", "done"]


@pytest.mark.parametrize("swallowed", [False, True])
async def test_a_real_cancellation_goes_on(swallowed: bool) -> None:
    started, after = anyio.Event(), []

    async def work(context: Context) -> str:
        started.set()
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            if swallowed:
                raise asyncio.CancelledError("my own") from None
            raise
        return ""

    async def turn() -> None:
        after.append(await make_toolbox(work).run(make_context(), [ToolCall("1", "work")], make_record()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn)
        await started.wait()
        tasks.cancel_scope.cancel()
    assert tasks.cancel_scope.cancelled_caught
    assert after == []


async def test_a_cancelled_task_stays_cancelled() -> None:
    started = anyio.Event()

    async def work(context: Context) -> str:
        started.set()
        await anyio.sleep_forever()
        return ""

    calls = [ToolCall("1", "work"), ToolCall("2", "work")]
    task = asyncio.create_task(make_toolbox(work).run(make_context(), calls, make_record()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_tool_that_needs_approval_is_refused() -> None:
    ran = []

    async def work(context: Context) -> str:
        ran.append(context.key)
        return "done"

    toolbox = Toolbox({"pay": ClassTool(work, approval=True)}, Limits(), Hooks((), lambda _: None, ManualClock()))
    (result,) = await toolbox.run(make_context(), [ToolCall("1", "pay")], make_record())
    assert result.failed
    assert result.text == "pay needs a person's approval, and there is nobody to give it here"
    assert ran == []


async def test_each_call_has_its_key() -> None:
    async def work(context: Context) -> str:
        return context.key

    calls = [ToolCall("1", "work"), ToolCall("2", "work")]
    results = await make_toolbox(work).run(make_context(), calls, make_record())
    expected = make_record()
    assert [result.text for result in results] == [expected.key(call) for call in calls]


async def test_a_result_of_another_type_names_the_tool() -> None:
    async def work(context: Context) -> int:
        return 7

    result = await run(work)
    assert (result.failed, result.text) == (True, "work returned a value of type int, expected text or images")


async def test_arguments_without_end_are_refused() -> None:
    async def work(context: Context) -> str:
        return "done"

    (result,) = await make_toolbox(work).run(make_context(), [ToolCall("1", "work", "[" * 100_000)], make_record())
    assert result.failed
    assert result.text.startswith("the arguments are not JSON")


async def test_a_result_answers_the_call_whatever_hooks_make_of_it() -> None:
    async def work(context: Context) -> str:
        return "done"

    hooks = [
        Hook("p", "before_tool", lambda call: replace(call, id="other", name="work"), ("call",), guard=True),
        Hook(
            "p", "after_tool", lambda call, result: replace(result, call="x", name=call.name), ("call", "result"), True
        ),
    ]
    (result,) = await make_toolbox(work, *hooks).run(make_context(), [ToolCall("1", "job")], make_record())
    assert (result.call, result.name, result.text) == ("1", "job", "done")


@pytest.mark.parametrize("count", [1, 3])
async def test_a_listener_that_fails_is_seen_as_it_is(count: int) -> None:
    async def work(context: Context) -> str:
        return "done"

    def emit(piece: Piece) -> None:
        raise BrokenPipeError("nobody listens")

    calls = [ToolCall(str(number), "work") for number in range(count)]
    with pytest.raises(BrokenPipeError, match="nobody listens"):
        await make_toolbox(work).run(make_context(emit), calls, make_record())
