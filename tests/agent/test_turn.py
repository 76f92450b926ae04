from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from clawmesh.abc.backend import Backend, Reply, Request, Stop
from clawmesh.abc.context import Context, Services
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.hooks import Hook, Hooks, Incident
from clawmesh.agent.record import Record
from clawmesh.agent.schema import Schema
from clawmesh.agent.toolbox import Toolbox
from clawmesh.agent.turn import Mind, Turn
from clawmesh.config.model import AgentConfig, Limits
from clawmesh.config.source import Place, Source
from clawmesh.errors import FailedError, LimitError, OverloadedError, RefusedError, ReplyError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.messages import Message, Piece, Reasoning, Text, ToolCall, ToolResult
from clawmesh.plugin.example import NoPeers
from clawmesh.testing import ManualClock, RehearsedBackend, StuckBackend, called, said, seeded_ids

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


def breaks() -> str:
    """Break."""
    raise RuntimeError("out of paper")


def make_record() -> Record:
    return Record(MemoryJournal(ManualClock()), ManualClock(), "env_1", ())


def make_context(pieces: list[Piece] | None = None) -> Context:
    services = Services(NOWHERE, ManualClock(), seeded_ids(), random.Random(0), Path())
    return Context("a/s", "env_1", NoPeers(), services, (pieces if pieces is not None else []).append)


def make_mind(
    backend: Backend,
    *functions: Callable[..., Any],
    limits: Limits | None = None,
    hooks: Hooks | None = None,
    schema: dict[str, Any] | None = None,
) -> Mind:
    limits, hooks = limits or Limits(), hooks or Hooks([], lambda _: None, ManualClock())
    place = Place(Source(Path("clawmesh.toml")), ("agents", "a"))
    config = AgentConfig(name="a", model="m", instructions="Be good.", limits=limits, output_schema=schema, place=place)
    tools = {function.__name__: FunctionTool(function, function.__name__) for function in functions}
    return Mind(config, backend, Toolbox(tools, limits, hooks), hooks, Schema(schema) if schema else None)


async def play(mind: Mind, text: str = "hi") -> tuple[Turn, Message, Any]:
    turn = Turn(mind, make_context(), [], Message.user(text), make_record())
    message, report = await turn.run()
    return turn, message, report


async def test_a_plain_answer_is_one_step() -> None:
    backend = RehearsedBackend(said("hello"))
    turn, message, report = await play(make_mind(backend))
    assert message.text == "hello"
    assert (report.steps, report.tool_calls, report.usage.total_tokens, report.stop) == (1, 0, 2, "end")
    assert turn.exchange == [Message.user("hi"), Message.assistant("hello")]
    assert backend.requests[0].instructions == "Be good."
    assert backend.requests[0].session == "a/s"


async def test_tools_run_and_their_results_go_back() -> None:
    backend = RehearsedBackend(
        called(ToolCall("1", "add", '{"a": 1, "b": 2}'), ToolCall("2", "add", '{"a": 3, "b": 4}')), said("3 and 7")
    )
    turn, message, report = await play(make_mind(backend, add))
    assert message.text == "3 and 7"
    assert report.tool_calls == 2
    results = turn.exchange[2]
    assert results.role == "tool"
    assert [part.text for part in results.parts if isinstance(part, ToolResult)] == ["3", "7"]
    assert backend.requests[1].messages == tuple(turn.exchange[:3])


async def test_the_calls_of_one_step_run_side_by_side() -> None:
    arrived = 0
    both = anyio.Event()

    async def meet() -> str:
        """Wait for the other call."""
        nonlocal arrived
        arrived += 1
        if arrived == 2:
            both.set()
        await both.wait()
        return "met"

    backend = RehearsedBackend(called(ToolCall("1", "meet"), ToolCall("2", "meet")), said("done"))
    _, message, _ = await play(make_mind(backend, meet))
    assert message.text == "done"


async def test_no_more_calls_at_once_than_the_limit() -> None:
    inside, most = 0, 0

    async def count() -> str:
        """Count."""
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await anyio.lowlevel.checkpoint()
        inside -= 1
        return ""

    calls = [ToolCall(str(number), "count") for number in range(9)]
    await play(make_mind(RehearsedBackend(called(*calls), said("x")), count, limits=Limits(parallel_tools=3)))
    assert most == 3


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (ToolCall("1", "ad", "{}"), 'there is no tool "ad"; did you mean "add"?'),
        (ToolCall("1", "add", '{"a": '), "the arguments are not JSON: Input data was truncated"),
        (ToolCall("1", "add", "[1]"), "the arguments are list, expected an object"),
        (ToolCall("1", "breaks", "{}"), "RuntimeError: out of paper"),
    ],
)
async def test_what_goes_wrong_with_a_call_goes_back_to_the_model(call: ToolCall, reason: str) -> None:
    turn, message, _ = await play(make_mind(RehearsedBackend(called(call), said("sorry")), add, breaks))
    (result,) = turn.exchange[2].parts
    assert isinstance(result, ToolResult)
    assert result.failed
    assert result.text == reason
    assert message.text == "sorry"


async def test_bad_arguments_name_what_is_wrong() -> None:
    call = ToolCall("1", "add", '{"a": "one", "c": 2}')
    turn, _, _ = await play(make_mind(RehearsedBackend(called(call), said("sorry")), add))
    (result,) = turn.exchange[2].parts
    assert isinstance(result, ToolResult)
    assert result.failed
    for fragment in ("a: expected", "b: missing", "c: there is no such argument"):
        assert fragment in result.text


async def test_a_tool_that_hangs_is_stopped() -> None:
    left = anyio.Event()

    async def hang() -> str:
        """Hang."""
        try:
            await anyio.sleep_forever()
        finally:
            left.set()
        return ""

    limits = Limits(tool_seconds=0.01)
    turn, _, _ = await play(make_mind(RehearsedBackend(called(ToolCall("1", "hang")), said("x")), hang, limits=limits))
    (result,) = turn.exchange[2].parts
    assert isinstance(result, ToolResult)
    assert result.text == "hang gave no result within 0.01 s and was stopped"
    assert left.is_set()


async def test_big_results_are_cut() -> None:
    def big() -> str:
        """Say much."""
        return "x" * 1_000_000

    turn, _, _ = await play(make_mind(RehearsedBackend(called(ToolCall("1", "big")), said("x")), big))
    (result,) = turn.exchange[2].parts
    assert isinstance(result, ToolResult)
    assert len(result.text) < 70_000


async def test_calls_of_a_reply_that_was_cut_off_are_not_run() -> None:
    ran = []

    def note(text: str) -> str:
        """Note."""
        ran.append(text)
        return ""

    cut = called(ToolCall("1", "note", '{"text": "half"}'))
    cut = Reply(message=cut.message, stop="length")
    turn, message, _ = await play(make_mind(RehearsedBackend(cut, said("again")), note))
    assert ran == []
    (result,) = turn.exchange[2].parts
    assert isinstance(result, ToolResult)
    assert "cut off" in result.text
    assert message.text == "again"


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("content_filter", "not run: the answer was ended by the provider's filter"),
        ("refusal", "not run: the answer is a refusal"),
        ("context_window", "not run: the answer was cut off at the end of the context window"),
    ],
)
async def test_calls_of_a_reply_that_was_broken_off_end_the_turn(stop: Stop, reason: str) -> None:
    call = ToolCall("1", "add", '{"a": 1, "b": 1}')
    pieces: list[Piece] = []
    broken = Reply(message=called(call, text="I will").message, stop=stop)
    turn = Turn(make_mind(RehearsedBackend(broken), add), make_context(pieces), [], Message.user("hi"), make_record())
    message, report = await turn.run()
    result = ToolResult("1", "add", (Text(reason),), failed=True)
    assert (message.text, report.stop) == ("I will", stop)
    assert turn.exchange[1:] == [broken.message, Message("tool", (result,))]
    assert pieces == [Text("I will"), call, result]


@pytest.mark.parametrize("stop", ["end", "stop_sequence", "pause"])
async def test_calls_of_a_whole_reply_are_run(stop: Stop) -> None:
    whole = Reply(message=called(ToolCall("1", "add", '{"a": 1, "b": 1}')).message, stop=stop)
    turn, message, _ = await play(make_mind(RehearsedBackend(whole, said("2")), add))
    assert turn.exchange[2] == Message("tool", (ToolResult("1", "add", (Text("2"),)),))
    assert message.text == "2"


async def test_steps_tokens_and_seconds_are_limited() -> None:
    endless = [called(ToolCall("1", "add", '{"a": 1, "b": 1}'), tokens=50) for _ in range(20)]
    with pytest.raises(LimitError, match="no answer after 3 model calls") as steps:
        await play(make_mind(RehearsedBackend(*endless), add, limits=Limits(steps=3)))
    with pytest.raises(LimitError, match="300 of 250 tokens are used") as tokens:
        await play(make_mind(RehearsedBackend(*endless), add, limits=Limits(tokens=250)))
    stuck = StuckBackend()
    with pytest.raises(LimitError, match=r"not done within 0\.01 s") as seconds:
        await play(make_mind(stuck, limits=Limits(seconds=0.01)))
    assert [error.value.limit for error in (steps, tokens, seconds)] == ["steps", "tokens", "seconds"]
    assert stuck.left.is_set()


async def test_structured_output_is_repaired_or_refused() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    backend = RehearsedBackend(said("no json"), said('{"n": "x"}'), said('{"n": 1}'))
    turn, message, report = await play(make_mind(backend, schema=schema))
    assert message.text == '{"n": 1}'
    assert report.steps == 3
    assert "it is not JSON" in turn.exchange[2].text
    assert "$.n: 'x' is not of type 'integer'" in turn.exchange[4].text
    with pytest.raises(ReplyError, match=r"does not satisfy output_schema: \$: 'n' is a required property"):
        await play(make_mind(RehearsedBackend(*[said("{}")] * 3), schema=schema))


async def test_a_paused_reply_is_continued() -> None:
    paused = Reply(message=Message.assistant("searching"), stop="pause")
    backend = RehearsedBackend(paused, said("found"))
    _, message, _ = await play(make_mind(backend))
    assert message.text == "found"
    assert backend.requests[1].messages[-1].text == "searching"


async def test_a_failed_model_call_fails_the_turn_by_its_type() -> None:
    with pytest.raises(OverloadedError, match="busy"):
        await play(make_mind(RehearsedBackend(OverloadedError("busy"))))


@pytest.mark.parametrize("part", [Text(None), ToolCall("1", "add", {"a": 1})])  # type: ignore[arg-type]
async def test_a_reply_that_could_not_be_read_again_fails_the_turn(part: Text | ToolCall) -> None:
    backend = RehearsedBackend(replace(said(""), message=Message("assistant", (part,))))
    with pytest.raises(FailedError, match="this is no message: Expected `str`"):
        await play(make_mind(backend, add))


async def test_cancelling_leaves_nothing_running() -> None:
    stuck = StuckBackend()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play, make_mind(stuck))
            await stuck.started.wait()
            scope.cancel()
    assert stuck.left.is_set()


async def test_pieces_and_results_are_emitted_in_order() -> None:
    pieces: list[Piece] = []
    backend = RehearsedBackend(called(ToolCall("1", "add", '{"a":1,"b":1}'), text="let me see"), said("2"))
    await Turn(make_mind(backend, add), make_context(pieces), [], Message.user("hi"), make_record()).run()
    call = ToolCall("1", "add", '{"a":1,"b":1}')
    assert pieces == [Text("let me see"), call, ToolResult("1", "add", (Text("2"),)), Text("2")]


async def test_calls_get_ids_that_differ_within_the_turn() -> None:
    one, two = ToolCall("1", "add", '{"a":1,"b":1}'), ToolCall("1", "add", '{"a":2,"b":2}')
    bare, again = ToolCall("", "add", '{"a":3,"b":3}'), ToolCall("1", "add", '{"a":4,"b":4}')
    pieces: list[Piece] = []
    backend = RehearsedBackend(called(one, two, bare), called(again), said("20"))
    turn = Turn(make_mind(backend, add), make_context(pieces), [], Message.user("hi"), make_record())
    await turn.run()
    calls = [call for message in turn.exchange for call in message.calls]
    results = [part for message in turn.exchange for part in message.parts if isinstance(part, ToolResult)]
    assert calls[0] == one
    assert len({call.id for call in calls} - {""}) == 4
    assert [(result.call, result.text) for result in results] == [
        (call.id, text) for call, text in zip(calls, "2468", strict=True)
    ]
    assert [piece for piece in pieces if isinstance(piece, ToolCall)] == calls
    assert {piece.call for piece in pieces if isinstance(piece, ToolResult)} == {call.id for call in calls}


async def test_hooks_change_and_refuse() -> None:
    def shorten(agent: str, request: Request) -> Request:
        return Request(model=f"{agent}-tuned", messages=request.messages)

    def forbid(call: ToolCall) -> None:
        raise RefusedError(f"{call.name} is not allowed today")

    incidents: list[Incident] = []
    hooks = Hooks(
        [
            Hook("p", "before_model", shorten, ("agent", "request"), guard=True),
            Hook("p", "before_tool", forbid, ("call",), guard=True),
        ],
        incidents.append,
        ManualClock(),
    )
    backend = RehearsedBackend(called(ToolCall("1", "add", '{"a":1,"b":1}')), said("I may not"))
    turn, message, _ = await play(make_mind(backend, add, hooks=hooks))
    assert backend.requests[0].model == "a-tuned"
    (result,) = turn.exchange[2].parts
    assert isinstance(result, ToolResult)
    assert result.text == "add is not allowed today"
    assert message.text == "I may not"
    assert incidents == []


def reviewed_by(review: Callable[..., Any]) -> Hooks:
    return Hooks([Hook("p", "after_model", review, ("reply",), guard=True)], lambda _: None, ManualClock())


async def test_nothing_of_a_reply_is_seen_before_its_hooks_passed() -> None:
    pieces: list[Piece] = []
    seen: list[list[Piece]] = []

    def censor(reply: Reply) -> Reply | None:
        seen.append(list(pieces))
        return None if reply.message.calls else replace(reply, message=Message.assistant("[removed]"))

    call = ToolCall("1", "add", '{"a":1,"b":1}')
    thought = Message("assistant", (Reasoning("Hm."), Reasoning("", "p", b"{}"), Text("let me see"), call))
    backend = RehearsedBackend(Reply(message=thought, stop="tool_calls"), said("a secret"))
    mind = make_mind(backend, add, hooks=reviewed_by(censor))
    await Turn(mind, make_context(pieces), [], Message.user("hi"), make_record()).run()
    step = [Reasoning("Hm."), Text("let me see"), call, ToolResult("1", "add", (Text("2"),))]
    assert seen == [[], step]
    assert pieces == [*step, Text("[removed]")]


async def test_a_refused_reply_is_never_seen() -> None:
    def refuse(reply: Reply) -> None:
        raise RefusedError("not that")

    pieces: list[Piece] = []
    mind = make_mind(RehearsedBackend(said("a secret")), hooks=reviewed_by(refuse))
    with pytest.raises(RefusedError, match="not that"):
        await Turn(mind, make_context(pieces), [], Message.user("hi"), make_record()).run()
    assert pieces == []
