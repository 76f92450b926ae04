"""Ollama's chat API: what is sent, and what is made of answers that no recording holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawmesh.abc.backend import Reply
from clawmesh.errors import BackendError, BadRequestError, NotFoundError, ServerError, TruncatedReplyError
from clawmesh.messages import Message, Piece, Reasoning, Text, ToolCall, ToolResult
from clawmesh.provider.assembly import Voice
from clawmesh.testing import seeded_ids
from plugins.ollama import ollama
from plugins.ollama.decoder import Answer as Decoder
from plugins.ollama.messages import encode
from plugins.ollama.options import Options

from .conversation import FUNCTION, LINKED, PIXEL, SCHEMA, WEATHER, request_with, turn, written
from .provider import HELLO, Answer, provider, services

PLAIN = Options("http://127.0.0.1:1")
END = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2, "model": "qwen3"}


def read(*lines: dict[str, Any], pieces: list[Piece] | None = None) -> Reply:
    decoder = Decoder(Voice(pieces.append if pieces is not None else lambda piece: None), seeded_ids(), PLAIN.provider)
    cutter = decoder.cutter()
    cutter.feed(b"\n".join(map(msgspec.json.encode, lines)))
    cutter.close()
    return decoder.reply()


def said(**fields: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", **fields}, "done": False}


def test_a_plain_request() -> None:
    assert written(encode, PLAIN, request_with(Message.user("hi"))) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }


def test_a_full_request() -> None:
    request = request_with(
        Message("user", (Text("Look:"), PIXEL)),
        instructions="Be brief.",
        tools=(WEATHER,),
        output_schema=SCHEMA,
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        reasoning="high",
        stop=("END",),
    )
    options = Options("http://h", num_ctx=8192, keep_alive="10m", body={"logprobs": True})
    assert written(encode, options, request) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Look:", "images": ["iVBORw=="]},
        ],
        "stream": True,
        "options": {"num_ctx": 8192, "num_predict": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["END"]},
        "think": "high",
        "format": SCHEMA,
        "keep_alive": "10m",
        "tools": [{"type": "function", "function": FUNCTION}],
        "logprobs": True,
    }


@pytest.mark.parametrize(("effort", "think"), [("none", False), ("on", True), ("low", "low")])
def test_thinking_is_a_switch_or_a_level(effort: str, think: Any) -> None:
    assert written(encode, PLAIN, request_with(Message.user("hi"), reasoning=effort))["think"] == think


def test_tools_may_be_kept_back() -> None:
    assert "tools" not in written(encode, PLAIN, request_with(Message.user("hi"), tools=(WEATHER,), tool_choice="none"))


def test_an_image_needs_its_bytes() -> None:
    with pytest.raises(BadRequestError, match="by value only"):
        encode(PLAIN, request_with(Message("user", (LINKED,))))


def test_thinking_and_results_are_given_back() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}]
    reply = read(said(thinking="Let me "), said(thinking="see."), said(content="Looking.", tool_calls=calls), END)
    assert (reply.message.text, reply.message.reasoning, reply.stop) == ("Looking.", "Let me see.", "tool_calls")
    result = ToolResult("c1", "weather", (Text("rain"), PIXEL))
    messages = written(encode, PLAIN, request_with(*turn(reply.message.parts, result)))["messages"]
    assert messages[1:3] == [
        {"role": "assistant", "content": "Looking.", "thinking": "Let me see.", "tool_calls": calls},
        {"role": "tool", "content": "rain", "tool_name": "weather", "tool_call_id": "c1", "images": ["iVBORw=="]},
    ]


def test_pieces_come_as_they_arrive() -> None:
    pieces: list[Piece] = []
    calls = [{"function": {"name": name, "arguments": {"x": 1}}} for name in ("f", "g")]
    reply = read(said(thinking="hm"), said(content="a"), said(content="b"), said(tool_calls=calls), END, pieces=pieces)
    assert pieces[:3] == [Reasoning("hm"), Text("a"), Text("b")]
    assert pieces[3:] == list(reply.message.calls)
    assert [(call.name, call.arguments) for call in reply.message.calls] == [("f", '{"x":1}'), ("g", '{"x":1}')]
    assert len({call.id for call in reply.message.calls} - {""}) == 2


def test_arguments_may_come_as_text() -> None:
    reply = read(said(tool_calls=[{"id": "c", "function": {"name": "f", "arguments": '{"x":1}'}}]), END)
    assert reply.message.calls == (ToolCall("c", "f", '{"x":1}'),)


def test_the_end_tells_why_and_how_much() -> None:
    reply = read(said(content="a"), END | {"done_reason": "length"})
    assert (reply.stop, reply.stop_detail, reply.model) == ("length", "length", "qwen3")
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens) == (5, 2, 7)


def test_a_stream_needs_its_end() -> None:
    with pytest.raises(TruncatedReplyError, match='without "done": true'):
        read(said(content="half an ans"))


def test_an_error_in_mid_stream() -> None:
    with pytest.raises(ServerError, match="the provider failed: out of memory"):
        read(said(content="half"), {"error": "out of memory"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(b'{"error":"model not found"}', 404), NotFoundError),
        (Answer(b'{"error":"no"}'), ServerError),
        (Answer(b""), TruncatedReplyError),
    ],
)
async def test_failures_over_the_wire(answer: Answer, kind: type[BackendError]) -> None:
    async with provider(answer) as asked, services() as host:
        with pytest.raises(kind):
            await ollama(host, base_url=asked.url).complete(HELLO, lambda piece: None)
    assert asked.head.startswith(b"POST /api/chat ")
