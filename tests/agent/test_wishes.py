"""Turns of callers who bring something: their history, tools, schema and settings."""

from __future__ import annotations

import pytest

from clawmesh.abc.journal import Entry, Kind
from clawmesh.abc.tool import ToolSpec
from clawmesh.agent.exchange import exchange
from clawmesh.agent.record import Record
from clawmesh.agent.toolbox import failed
from clawmesh.agent.turn import Turn
from clawmesh.clock import SystemClock
from clawmesh.errors import UsageError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Envelope, Outcome, Wishes
from clawmesh.mesh.record import pack_envelope, pack_outcome, unpack_envelope
from clawmesh.messages import Message, Text, ToolCall, ToolResult
from clawmesh.testing import ManualClock, RehearsedBackend, called, said
from tests.agent.test_turn import add, make_context, make_mind, make_record
from tests.journal.samples import NOW

pytestmark = pytest.mark.anyio
ADDRESS = Address("a", "s")
WEATHER = ToolSpec("weather", "Tell the weather.", {"type": "object", "properties": {"town": {"type": "string"}}})
ASKED = ToolCall("w", "weather", '{"town":"Ulm"}')
SUM = ToolCall("s", "add", '{"a":1,"b":2}')
RAIN = ToolResult("w", "weather", (Text("rain"),))


async def test_what_a_caller_wishes_is_asked_of_the_model() -> None:
    backend = RehearsedBackend(said("{}"))
    schema = {"type": "object"}
    wishes = Wishes(
        history=(Message.user("before"), Message.assistant("yes")),
        instructions="Be brief.",
        tools=(WEATHER,),
        tool_choice="required",
        parallel_tools=False,
        output_schema=schema,
        max_tokens=7,
        temperature=0.0,
        top_p=0.5,
        reasoning="low",
        stop=("x",),
    )
    history = wishes.history or ()
    turn = Turn(make_mind(backend, add), make_context(), history, Message.user("now"), make_record(), wishes)
    await turn.run()
    (request,) = backend.requests
    assert request.messages == (*history, Message.user("now"))
    assert request.instructions == "Be good.\n\nBe brief."
    assert [tool.name for tool in request.tools] == ["add", "weather"]
    assert (request.tool_choice, request.parallel_tools, request.output_schema) == ("required", False, schema)
    assert (request.max_tokens, request.temperature, request.top_p) == (7, 0.0, 0.5)
    assert (request.reasoning, request.stop) == ("low", ("x",))


async def test_calls_of_the_callers_tools_end_the_turn_and_its_own_run() -> None:
    backend = RehearsedBackend(called(ASKED, SUM))
    turn = Turn(
        make_mind(backend, add), make_context(), (), Message.user("hi"), make_record(), Wishes(tools=(WEATHER,))
    )
    message, report = await turn.run()
    assert message.calls == (ASKED, SUM)
    assert (report.stop, report.steps, report.tool_calls) == ("tool_calls", 1, 1)
    own = Message("tool", (ToolResult("s", "add", (Text("3"),)),))
    assert turn.exchange == [Message.user("hi"), message, own]

    answer = Message("tool", (RAIN,))
    backend = RehearsedBackend(said("rain and 3"))
    turn = Turn(make_mind(backend, add), make_context(), turn.exchange, answer, make_record(), Wishes(tools=(WEATHER,)))
    await turn.run()
    results = backend.requests[0].messages[-1]
    assert results == Message("tool", (*own.parts, RAIN))


async def test_a_caller_that_does_not_answer_its_calls_may_go_on() -> None:
    backend = RehearsedBackend(said("well"))
    history = [Message.user("hi"), called(ASKED).message]
    await Turn(make_mind(backend), make_context(), history, Message.user("never mind"), make_record()).run()
    missing = Message("tool", (failed(ASKED, "no result was given"),))
    assert backend.requests[0].messages == (*history, missing, Message.user("never mind"))


async def test_results_of_nothing_are_left_out() -> None:
    backend = RehearsedBackend(said("well"))
    history = (Message.user("hi"), Message.assistant("hello"))
    wishes = Wishes(history=history)
    await Turn(make_mind(backend), make_context(), history, Message("tool", (RAIN,)), make_record(), wishes).run()
    assert backend.requests[0].messages == history


async def test_a_tool_that_the_agent_has_itself_is_refused() -> None:
    own = ToolSpec("add", "Mine.", {"type": "object"})
    with pytest.raises(UsageError, match='the agent has a tool "add" of its own'):
        Turn(
            make_mind(said_nothing(), add), make_context(), (), Message.user("hi"), make_record(), Wishes(tools=(own,))
        )


async def test_a_schema_that_is_none_is_refused() -> None:
    wishes = Wishes(output_schema={"type": "strange"})
    with pytest.raises(UsageError, match="no JSON Schema"):
        Turn(make_mind(said_nothing()), make_context(), (), Message.user("hi"), make_record(), wishes)


async def test_the_journal_tells_the_exchange_again() -> None:
    journal, clock = MemoryJournal(SystemClock()), ManualClock()
    wishes = Wishes(tools=(WEATHER,))
    envelope = Envelope(
        id="env_1", sender="user", to=ADDRESS, kind="ask", message=Message.user("hi"), deadline=9.0, wishes=wishes
    )
    accepted = pack_envelope(envelope, clock)
    assert unpack_envelope(accepted, clock).wishes == wishes
    journal.append(Entry(Kind.ACCEPTED, "env_1", NOW, accepted, "a/s"))
    record = Record(journal, clock, "env_1", ())
    turn = Turn(
        make_mind(RehearsedBackend(called(ASKED, SUM)), add), make_context(), (), envelope.message, record, wishes
    )
    message, report = await turn.run()
    journal.append(Entry(Kind.ENDED, "env_1", NOW, pack_outcome(Outcome(Ending.ANSWERED, message, report))))
    assert exchange(await journal.reader.story("env_1")) == turn.exchange


def said_nothing() -> RehearsedBackend:
    return RehearsedBackend()
