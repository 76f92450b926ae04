"""The Messages API: what is sent, and what is made of answers that no recording holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawmesh.abc.backend import Reply
from clawmesh.errors import (
    BackendError,
    BadRequestError,
    ContextOverflowError,
    OverloadedError,
    QuotaError,
    ReplyError,
    ServerError,
    TruncatedReplyError,
)
from clawmesh.messages import Message, Opaque, Piece, Reasoning, Text, ToolCall, ToolResult
from clawmesh.provider.assembly import Voice
from clawmesh.secret import Secret
from clawmesh.testing import seeded_ids
from plugins.anthropic import anthropic
from plugins.anthropic.decoder import Answer as Decoder
from plugins.anthropic.messages import encode
from plugins.anthropic.options import Options

from .conversation import CLOSED, LINKED, PIXEL, SCHEMA, WEATHER, request_with, turn, written
from .provider import HELLO, Answer, provider, services

PLAIN = Options("http://127.0.0.1:1", max_tokens=100, cache=False)
CACHING = Options("http://127.0.0.1:1", max_tokens=100)
MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "weather", "description": "Tell the weather.", "input_schema": SCHEMA}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}


def read(*events: dict[str, Any], pieces: list[Piece] | None = None, end: str | None = "end_turn") -> Reply:
    """Decode the events of a stream, with what always surrounds them; without an `end` the stream is cut."""
    decoder = Decoder(Voice(pieces.append if pieces is not None else lambda piece: None), seeded_ids(), PLAIN.provider)
    message = {"id": "m1", "model": "claude", "content": [], "usage": {"input_tokens": 9}}
    opening: dict[str, Any] = {"type": "message_start", "message": message}
    closing: list[dict[str, Any]] = [{"type": "message_delta", "delta": {"stop_reason": end}}, {"type": "message_stop"}]
    for event in (opening, *events, *(closing if end else ())):
        decoder.event(event["type"], msgspec.json.encode(event))
    return decoder.reply()


def read_whole(**fields: Any) -> Reply:
    decoder = Decoder(Voice(lambda piece: None), seeded_ids(), PLAIN.provider)
    decoder.whole(msgspec.json.encode({"type": "message", "stop_reason": "end_turn", **fields}))
    return decoder.reply()


def block(index: int, value: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": value},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def call(index: int, *pieces: str) -> list[dict[str, Any]]:
    value = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
    return block(index, value, *map(json_piece, pieces))


def json_piece(piece: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": piece}


def test_a_plain_request_holds_nothing_that_a_model_may_refuse() -> None:
    assert written(encode, PLAIN, request_with(Message.user("hi"))) == {
        "model": "m",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
    }


def test_a_full_request() -> None:
    request = request_with(
        Message("user", (Text("Look:"), PIXEL, LINKED, Text(""))),
        instructions="Be brief.",
        tools=(WEATHER,),
        parallel_tools=False,
        output_schema=SCHEMA,
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        reasoning="high",
        stop=("END",),
    )
    options = Options("http://h", max_tokens=100, body={"service_tier": "auto"})
    assert written(encode, options, request) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look:"},
                    PNG,
                    {"type": "image", "source": {"type": "url", "url": LINKED.url}, **MARK},
                ],
            }
        ],
        "stream": True,
        "system": [{"type": "text", "text": "Be brief.", **MARK}],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": CLOSED}},
        "tools": [TOOL],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "service_tier": "auto",
    }


@pytest.mark.parametrize(
    ("fields", "thinking", "output"),
    [
        ({}, None, None),
        ({"reasoning": "low"}, {"type": "adaptive"}, {"effort": "low"}),
        ({"reasoning": "none"}, {"type": "disabled"}, None),
        # Thinking and a forced call exclude each other.
        ({"reasoning": "low", "tools": (WEATHER,), "tool_choice": "required"}, None, {"effort": "low"}),
    ],
)
def test_thinking(fields: dict[str, Any], thinking: Any, output: Any) -> None:
    body = written(encode, PLAIN, request_with(Message.user("hi"), **fields))
    assert (body.get("thinking"), body.get("output_config")) == (thinking, output)


def test_older_models_think_within_a_budget() -> None:
    options = Options("http://h", max_tokens=100, thinking_budget=1024)
    body = written(encode, options, request_with(Message.user("hi"), reasoning="high"))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1024}


def test_without_instructions_the_tools_are_what_stays() -> None:
    body = written(encode, CACHING, request_with(Message.user("hi"), tools=(WEATHER,), tool_choice="none"))
    assert body["tools"] == [TOOL | MARK]
    assert body["tool_choice"] == {"type": "none"}


THINKING = {"type": "thinking", "thinking": "hm, well", "signature": "sig"}
REDACTED = {"type": "redacted_thinking", "data": "xyz"}
SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "rome"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "u"}]}
CITED = {"type": "web_search_result_location", "url": "u", "encrypted_index": "i"}
CALLER = {"type": "code_execution_20260120", "tool_id": "s1"}
BLOCKS = [
    THINKING,
    REDACTED,
    SEARCH,
    FOUND,
    {"type": "text", "text": "A city.", "citations": [CITED]},
    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}, "caller": CALLER},
]


def streamed_blocks() -> Reply:
    thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in ("hm, ", "well")]
    signature = {"type": "signature_delta", "signature": "sig"}
    citation = {"type": "citations_delta", "citation": CITED}
    return read(
        *block(0, {"type": "thinking", "thinking": "", "signature": ""}, *thoughts, signature),
        *block(1, REDACTED),
        *block(2, SEARCH | {"input": {}}, *map(json_piece, ('{"query": ', '"rome"}'))),
        *block(3, FOUND),
        *block(4, {"type": "text", "text": ""}, {"type": "text_delta", "text": "A city."}, citation),
        *block(5, {"type": "tool_use", "id": "c1", "name": "weather", "caller": CALLER}, json_piece('{"city":"Rome"}')),
        end="tool_use",
    )


@pytest.mark.parametrize("whole", [False, True])
def test_blocks_are_given_back_as_they_were(whole: bool) -> None:
    reply = read_whole(content=BLOCKS) if whole else streamed_blocks()
    assert (reply.message.reasoning, reply.message.text, reply.stop) == ("hm, well", "A city.", "tool_calls")
    results = ToolResult("c1", "weather", (Text("rain"), PIXEL), failed=True)
    messages = written(encode, PLAIN, request_with(*turn(reply.message.parts, results)))["messages"]
    content = [{"type": "text", "text": "rain"}, PNG]
    result = {"type": "tool_result", "tool_use_id": "c1", "content": content, "is_error": True}
    assert messages[1:3] == [{"role": "assistant", "content": BLOCKS}, {"role": "user", "content": [result]}]


def test_an_empty_signed_thought_may_come_first() -> None:
    signed = {"type": "thinking", "thinking": "", "signature": "s"}
    reply = read_whole(content=[signed, {"type": "text", "text": "hi"}])
    assert reply.message.text == "hi"
    assert isinstance(reply.message.parts[0], Reasoning)
    assert msgspec.json.decode(reply.message.parts[0].data) == signed


def test_what_another_provider_marked_is_not_sent() -> None:
    foreign = Message(
        "assistant", (Reasoning("hm", "openai@x", b"{}"), Opaque("openai@x", b'{"type":"y"}'), Text("hi"))
    )
    body = written(encode, PLAIN, request_with(foreign, Message("assistant", ())))
    assert body["messages"] == [{"role": "assistant", "content": [{"type": "text", "text": "hi"}]}]


def test_arguments_that_were_no_object_travel_inside_one() -> None:
    body = written(encode, PLAIN, request_with(Message("assistant", (ToolCall("c", "f", '{"x'),))))
    assert body["messages"][0]["content"][0]["input"] == {"invalid": '{"x'}


def test_pieces_come_as_they_arrive() -> None:
    pieces: list[Piece] = []
    reply = read(
        *text(0, "Let me ", "see."),
        *call(1, '{"city":', '"Rome"}'),
        {"type": "ping"},
        {"type": "invented"},
        pieces=pieces,
    )
    called = ToolCall("c1", "weather", '{"city":"Rome"}')
    assert pieces == [Text("Let me "), Text("see."), called]
    assert reply.message.parts == (Text("Let me see."), called)
    assert (reply.id, reply.model, reply.usage.input_tokens) == ("m1", "claude", 9)


@pytest.mark.parametrize(
    ("word", "stop"),
    [
        ("end_turn", "end"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop_sequence"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "context_window"),
        ("invented", "end"),
    ],
)
def test_why_an_answer_ended(word: str, stop: str) -> None:
    reply = read(*text(0, "x"), end=word)
    assert (reply.stop, reply.stop_detail) == (stop, word)


def test_usage_is_cumulative_and_the_total_holds_the_cached() -> None:
    first = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5, "cache_read_input_tokens": 100}}
    second = {
        "type": "message_delta",
        "delta": {},
        "usage": {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}},
    }
    usage = read(*text(0, "x"), first, second).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == (9, 7, 100, 3)
    assert usage.total_tokens == 116


@pytest.mark.parametrize("pieces", [(), ('{"city": "Ro',)])
def test_a_call_cut_by_the_limit_is_left_out(pieces: tuple[str, ...]) -> None:
    reply = read(*text(0, "so:"), *call(1, *pieces), end="max_tokens")
    assert (reply.message.parts, reply.stop) == ((Text("so:"),), "length")


def test_the_last_call_of_a_whole_body_cut_by_the_limit_is_not_believed() -> None:
    first, last = ({"type": "tool_use", "id": name, "name": "f", "input": {}} for name in "ab")
    reply = read_whole(content=[first, last], stop_reason="max_tokens")
    assert [call.id for call in reply.message.calls] == ["a"]


def test_a_call_whose_input_comes_with_its_start() -> None:
    value = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}}
    assert read(*block(0, value), end="tool_use").message.calls == (ToolCall("c1", "weather", '{"city":"Rome"}'),)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "m"}, OverloadedError),
        ({"type": "api_error", "message": "m"}, ServerError),
        ({"type": "invalid_request_error", "message": "m"}, BadRequestError),
        ({"type": "billing_error", "message": "m"}, QuotaError),
        ({"type": "invalid_request_error", "details": {"error_code": "prompt_too_long"}}, ContextOverflowError),
        ({"type": "invented", "message": "m"}, ServerError),
    ],
)
def test_an_error_in_mid_stream(error: dict[str, Any], kind: type[BackendError]) -> None:
    with pytest.raises(kind):
        read(*text(0, "half"), {"type": "error", "error": error})
    with pytest.raises(kind):
        read_whole(error=error)


def test_a_stream_needs_its_end() -> None:
    with pytest.raises(TruncatedReplyError, match="without message_stop"):
        read(*text(0, "half an ans"), end=None)


def test_a_delta_for_no_block_is_no_answer() -> None:
    with pytest.raises(ReplyError, match="block 3"):
        read({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}})


def test_a_body_without_content_is_no_answer() -> None:
    with pytest.raises(ReplyError, match="no content"):
        read_whole()


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
async def test_a_request_over_the_wire(path: str) -> None:
    body = msgspec.json.encode({"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"})
    async with provider(Answer(body)) as asked, services() as host:
        backend = anthropic(host, base_url=asked.url + path, api_key=Secret("k"), headers={"anthropic-beta": "b"})
        reply = await backend.complete(HELLO, lambda piece: None)
    assert reply.message.text == "hi"
    head = asked.head.lower().split(b"\r\n")
    assert head[0] == b"post /v1/messages http/1.1"
    assert {b"x-api-key: k", b"anthropic-version: 2023-06-01", b"anthropic-beta: b"} <= set(head)
    assert asked.body["max_tokens"] == 16_384
