from __future__ import annotations

from typing import Any

import pytest

from clawmesh.abc.backend import Reply, Request
from clawmesh.errors import OverloadedError, QuotaError, RateLimitError, TruncatedReplyError
from clawmesh.messages import Message, Piece, Reasoning, Text, ToolCall, ToolResult
from plugins.scripted import Call, Rule, scripted

pytestmark = pytest.mark.anyio
SERVICES: Any = None


async def play(rules: list[Rule], *messages: Message, model: str = "m") -> tuple[Reply, list[Piece]]:
    pieces: list[Piece] = []
    backend = scripted(SERVICES, rules=rules)
    return await backend.complete(Request(model=model, messages=messages), pieces.append), pieces


def result(name: str, text: str) -> Message:
    return Message("tool", (ToolResult("c", name, (Text(text),)),))


async def test_without_rules_it_repeats_what_was_said() -> None:
    reply, pieces = await play([], Message.user("good morning"))
    assert reply.message.text == "You said: good morning"
    assert [piece.text for piece in pieces if isinstance(piece, Text)] == ["You", " said:", " good", " morning"]
    assert reply.usage.input_tokens == 2
    assert reply.usage.output_tokens == 4


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([Message("system", (Text("be brief"),)), Message.assistant("yes")], "You said: be brief"),
        ([Message.assistant("forwarded")], "You said: forwarded"),
        ([Message.assistant("forwarded"), result("one", "1")], "1"),
        ([], "You said: "),
    ],
)
async def test_a_conversation_without_a_user_is_answered(messages: list[Message], answer: str) -> None:
    assert (await play([], *messages))[0].message.text == answer


async def test_the_first_rule_that_fits_is_taken() -> None:
    rules = [
        Rule(model="other", say="other model"),
        Rule(when="^bye", say="by when"),
        Rule(turn=2, say="second"),
        Rule(say="last"),
    ]
    one, two = Message.user("one"), Message.user("two")
    assert (await play(rules, one))[0].message.text == "last"
    assert (await play(rules, one, Message.assistant("last"), two))[0].message.text == "second"
    assert (await play(rules, Message.user("bye now")))[0].message.text == "by when"
    assert (await play(rules, one, model="other"))[0].message.text == "other model"


async def test_groups_results_and_tools_fill_the_text() -> None:
    messages = [Message.user("I am Ada"), result("one", "1"), result("two", "2")]
    rules = [Rule(when="I am (?P<name>.*)", after="two", say="{name}={1}: {one}, then {result}; {unknown}")]
    assert (await play(rules, *messages))[0].message.text == "Ada=Ada: 1, then 2; {unknown}"


async def test_calls_carry_filled_arguments() -> None:
    rules = [Rule(think="Hm.", calls=[Call("add", {"to": ["{text}"], "n": 1}), Call("clock")])]
    reply, pieces = await play(rules, Message.user("x"))
    assert reply.stop == "tool_calls"
    first, second = reply.message.calls
    assert (first.name, first.arguments, second.arguments) == ("add", '{"to": ["x"], "n": 1}', "{}")
    assert first.id != second.id
    assert pieces == [Reasoning("Hm."), *reply.message.calls]
    assert all(isinstance(call, ToolCall) for call in reply.message.calls)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("overloaded", OverloadedError),
        ("quota", QuotaError),
        ("rate_limit", RateLimitError),
        ("truncated", TruncatedReplyError),
    ],
)
async def test_faults_are_played_too(fault: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="the script says"):
        await play([Rule(fail=fault)], Message.user("x"))
