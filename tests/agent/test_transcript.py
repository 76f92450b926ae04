from __future__ import annotations

import pytest

from clawmesh.agent.transcript import Transcript
from clawmesh.messages import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult


def exchange(number: int) -> list[Message]:
    return [
        Message.user(f"question {number}"),
        Message("assistant", (ToolCall(f"c{number}", "clock"),)),
        Message("tool", (ToolResult(f"c{number}", "clock", (Text("noon"),)),)),
        Message.assistant(f"answer {number}"),
    ]


def test_exchanges_are_appended_in_order() -> None:
    transcript = Transcript(100)
    transcript.extend(exchange(1))
    transcript.extend(exchange(2))
    assert transcript.messages == (*exchange(1), *exchange(2))


def test_the_oldest_exchanges_go_whole() -> None:
    transcript = Transcript(10)
    for number in range(4):
        transcript.extend(exchange(number))
    assert transcript.messages == (*exchange(2), *exchange(3))


def test_the_newest_exchange_stays_even_when_it_is_over_the_bound() -> None:
    transcript = Transcript(2)
    transcript.extend(exchange(1))
    transcript.extend(exchange(2))
    assert transcript.messages == tuple(exchange(2))


def test_the_first_message_may_have_any_role() -> None:
    transcript = Transcript(4)
    for number in range(9):
        transcript.extend([Message.assistant(f"forwarded {number}"), Message.assistant(f"answer {number}")])
    assert [message.text for message in transcript.messages] == ["forwarded 7", "answer 7", "forwarded 8", "answer 8"]


@pytest.mark.parametrize(
    "part",
    [
        Text("x" * 60),
        Image("image/png", b"x" * 60),
        Image(url="x" * 60),
        Reasoning("x" * 30, "p", b"x" * 30),
        ToolCall("1", "clock", "x" * 60),
        ToolResult("1", "clock", (Text("x" * 30), Image("image/png", b"x" * 30))),
        Opaque("p", b"x" * 60),
    ],
)
def test_the_oldest_exchanges_go_when_they_are_too_big(part: Part) -> None:
    transcript = Transcript(100, characters=150)
    for number in range(4):
        transcript.extend([Message("user", (part,)), Message.assistant(str(number))])
    assert [message.text for message in transcript.messages if message.role == "assistant"] == ["2", "3"]
