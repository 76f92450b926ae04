"""What becomes of the parts of an answer at its end."""

from __future__ import annotations

import pytest

from clawmesh.abc.backend import Reply, Stop
from clawmesh.messages import Opaque, Part, Piece, Reasoning, Text, ToolCall
from clawmesh.provider.assembly import Ending, Voice, as_object, conclude
from clawmesh.testing import seeded_ids


def end(*parts: Part, stop: Stop = "end", voice: Voice | None = None) -> tuple[Reply, list[Piece]]:
    pieces: list[Piece] = []
    return conclude(parts, Ending(stop=stop), voice or Voice(pieces.append), seeded_ids()), pieces


def test_calls_ask_to_be_made_whatever_the_word() -> None:
    call = ToolCall("c", "f", "{}")
    assert end(call, stop="end")[0].stop == "tool_calls"
    assert end(Text("x"), stop="tool_calls")[0].stop == "end"
    assert end(call, stop="refusal")[0].stop == "refusal"


@pytest.mark.parametrize("stop", ["length", "context_window", "content_filter", "refusal"])
@pytest.mark.parametrize("arguments", ['{"city": "Par', "", "{", '"x"', "[1]", "12"])
def test_a_call_cut_in_half_is_left_out(stop: Stop, arguments: str) -> None:
    reply, pieces = end(Text("so:"), ToolCall("c", "f", arguments), stop=stop)
    assert reply.message.calls == ()
    assert reply.stop == stop
    assert pieces == [Text("so:")]


@pytest.mark.parametrize("arguments", ['{"', '{"city": "Par', '{"city": "a\\"', '{"cities": ["a"', '{"a": {"b": 1}'])
def test_a_call_cut_in_half_is_left_out_also_where_the_provider_says_nothing(arguments: str) -> None:
    reply, _ = end(ToolCall("c", "f", arguments), stop="tool_calls")
    assert (reply.message.calls, reply.stop) == ((), "length")


@pytest.mark.parametrize("arguments", ["{'city': 1}", '{"a" 1}', "no", "[1]", '{"a":1}}'])
def test_a_call_that_is_wrong_and_whole_stays_for_the_model_to_hear_of(arguments: str) -> None:
    reply, _ = end(ToolCall("c", "f", arguments), stop="tool_calls")
    assert (reply.message.calls, reply.stop) == ((ToolCall("c", "f", arguments),), "tool_calls")


def test_a_whole_call_before_the_cut_stays() -> None:
    whole = ToolCall("a", "f", '{"x": 1}')
    assert end(whole, ToolCall("b", "f", '{"x"'), stop="length")[0].message.calls == (whole,)


def test_a_call_without_arguments_has_none() -> None:
    assert end(ToolCall("c", "f", " "))[0].message.calls == (ToolCall("c", "f", "{}"),)


def test_calls_get_ids_of_their_own() -> None:
    calls = end(ToolCall("", "f"), ToolCall("same", "f"), ToolCall("same", "g"), ToolCall("", "h"))[0].message.calls
    assert [call.name for call in calls] == ["f", "f", "g", "h"]
    assert calls[1].id == "same"
    assert len({call.id for call in calls} - {""}) == 4


def test_what_was_said_is_not_said_again() -> None:
    pieces: list[Piece] = []
    voice = Voice(pieces.append)
    voice.reasoning("hm")
    voice.text("yes")
    end(Reasoning("hm"), Opaque("p", b"{}"), Text("yes"), ToolCall("c", "f", "{}"), voice=voice)
    assert pieces == [Reasoning("hm"), Text("yes"), ToolCall("c", "f", "{}")]


def test_an_answer_that_came_whole_is_said_at_its_end() -> None:
    assert end(Reasoning("hm"), Text("yes"))[1] == [Reasoning("hm"), Text("yes")]


def test_arguments_that_are_no_object_travel_inside_one() -> None:
    assert bytes(as_object('{"a":1}')) == b'{"a":1}'  # type: ignore[arg-type]  # a Raw here
    assert bytes(as_object("")) == b"{}"  # type: ignore[arg-type]  # a Raw here
    assert as_object('{"a"') == {"invalid": '{"a"'}
