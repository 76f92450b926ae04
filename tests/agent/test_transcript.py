from __future__ import annotations

from clawmesh.agent.transcript import Transcript
from clawmesh.messages import Message, Text, ToolCall, ToolResult


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


def test_clear_forgets_everything() -> None:
    transcript = Transcript(10)
    transcript.extend(exchange(1))
    transcript.clear()
    assert transcript.messages == ()
