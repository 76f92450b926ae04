"""Chat completions: what is sent, and what is made of answers that no recording holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawmesh.abc.backend import Reply
from clawmesh.errors import (
    BackendError,
    OverloadedError,
    RateLimitError,
    ReplyError,
    ServerError,
    TruncatedReplyError,
)
from clawmesh.messages import Message, Opaque, Part, Piece, Reasoning, Text, ToolResult
from clawmesh.provider.assembly import Voice
from clawmesh.testing import seeded_ids
from plugins.openai import messages
from plugins.openai.completions import Completion
from plugins.openai.options import Options

from .conversation import (
    CLOSED,
    FUNCTION,
    LINKED,
    PIXEL,
    PIXEL_URL,
    SCHEMA,
    WEATHER,
    request_with,
    turn,
    written,
)

CHAT = Options("http://127.0.0.1:1/v1")


def chat(*parts: Any, whole: bool = False, done: bool = True, pieces: list[Piece] | None = None) -> Reply:
    """Decode chunks of chat completions."""
    decoder = Completion(
        Voice(pieces.append if pieces is not None else lambda piece: None), seeded_ids(), CHAT.provider
    )
    for part in parts:
        data = part if isinstance(part, bytes) else msgspec.json.encode(part)
        if whole:
            decoder.whole(data)
        else:
            decoder.event("message", data)
    if done and not whole:
        decoder.event("message", b"[DONE]")
    return decoder.reply()


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def fragment(arguments: str | None = None, **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    return delta(tool_calls=[fields | {"function": {"name": name, "arguments": arguments}}])


def test_a_plain_chat_request_holds_nothing_that_a_server_may_refuse() -> None:
    assert written(messages.encode, CHAT, request_with(Message.user("hi"), session="a/s")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_full_chat_request() -> None:
    request = request_with(
        Message("system", (Text("Today is Monday."),)),
        Message("user", (Text("Look:"), PIXEL, LINKED)),
        instructions="Be brief.",
        tools=(WEATHER,),
        tool_choice="required",
        parallel_tools=False,
        output_schema=SCHEMA,
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        reasoning="low",
        stop=("END",),
        session="a/s",
    )
    options = Options("https://api.openai.com/v1", body={"top_k": 3, "temperature": 0})
    assert written(messages.encode, options, request) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Today is Monday."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look:"},
                    {"type": "image_url", "image_url": {"url": PIXEL_URL}},
                    {"type": "image_url", "image_url": {"url": LINKED.url}},
                ],
            },
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 9,
        "temperature": 0,
        "top_p": 0.9,
        "reasoning_effort": "low",
        "stop": ["END"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": CLOSED, "strict": True},
        },
        "prompt_cache_key": "a/s",
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "top_k": 3,
    }


def test_chat_reasoning_and_results_are_given_back() -> None:
    answer = chat(
        delta(reasoning_content="Let me "),
        delta(reasoning_content="see."),
        delta(content="Looking."),
        fragment('{"city":', index=0, id="c1", name="weather"),
        fragment('"Rome"}', index=0),
        delta("tool_calls"),
    )
    result = ToolResult("c1", "weather", (Text("rain"), PIXEL))
    body = written(messages.encode, CHAT, request_with(*turn(answer.message.parts, result)))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "reasoning_content": "Let me see.",
            "content": "Looking.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Images from weather (c1):"},
                {"type": "image_url", "image_url": {"url": PIXEL_URL}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "text", "text": "And here?"}, {"type": "image_url", "image_url": {"url": PIXEL_URL}}],
        },
    ]


def test_signed_details_of_reasoning_are_given_back_whole() -> None:
    def detail(**fields: Any) -> dict[str, Any]:
        return delta(reasoning=fields.get("text"), reasoning_details=[{"index": 0, "type": "reasoning.text", **fields}])

    encrypted = {"type": "reasoning.encrypted", "data": "xyz", "index": 1}
    answer = chat(
        detail(text="one "),
        detail(text="two", format="anthropic-claude-v1"),
        detail(signature="sig"),
        delta(reasoning_details=[encrypted]),
        delta("stop", content="done"),
    )
    assert answer.message.reasoning == "one two"
    assistant = written(messages.encode, CHAT, request_with(*turn(answer.message.parts)))["messages"][1]
    whole = {
        "index": 0,
        "type": "reasoning.text",
        "text": "one two",
        "format": "anthropic-claude-v1",
        "signature": "sig",
    }
    assert assistant == {"role": "assistant", "content": "done", "reasoning_details": [whole, encrypted]}


def test_thought_signatures_of_calls_are_given_back() -> None:
    signed = {"google": {"thought_signature": "s1"}}
    answer = chat(
        fragment("{}", index=0, id="c1", name="weather", extra_content=signed),
        delta("tool_calls", extra_content={"google": {"thought": True}}),
    )
    assistant = written(messages.encode, CHAT, request_with(*turn(answer.message.parts)))["messages"][1]
    assert assistant["tool_calls"][0]["extra_content"] == signed
    assert assistant["extra_content"] == {"google": {"thought": True}}


def test_blocks_of_thinking_are_given_back_as_blocks() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    answer = chat(delta("stop", content=[thinking, {"type": "text", "text": "4"}]))
    assert (answer.message.reasoning, answer.message.text) == ("hm", "4")
    assistant = written(messages.encode, CHAT, request_with(*turn(answer.message.parts)))["messages"][1]
    assert assistant["content"] == [thinking, {"type": "text", "text": "4"}]


def test_what_another_provider_marked_is_not_sent() -> None:
    foreign: list[Part] = [
        Reasoning("hm", "anthropic@x", b'{"type":"thinking"}'),
        Opaque("anthropic@x", b'{"type":"y"}'),
        Text("hi"),
    ]
    assert written(messages.encode, CHAT, request_with(Message("assistant", tuple(foreign))))["messages"] == [
        {"role": "assistant", "content": "hi"}
    ]


def test_an_answer_with_nothing_in_it_is_not_given_back() -> None:
    assert written(messages.encode, CHAT, request_with(Message("assistant", ())))["messages"] == []


@pytest.mark.parametrize(
    "fragments",
    [
        [
            fragment('{"x"', index=0, id="a", name="f"),
            fragment(":1}", index=0),
            fragment("{}", index=1, id="b", name="g"),
        ],
        [fragment('{"x":1}', index=0, id="a", name="f"), fragment("{}", index=0, id="b", name="g")],
        [fragment('{"x":1}', index=0, id="", name="f"), fragment("{}", index=0, id="", name="g")],
        [fragment('{"x":1}', id="a", name="f"), fragment("{}", id="b", name="g")],
        [fragment('{"x":1}', name="f"), fragment("", name="g")],
        [
            fragment('{"x"', index=0, id="a", name="f"),
            fragment(":1}", index=0, id="a", name="f"),
            fragment("{}", index=1, name="g"),
        ],
        [fragment("", index=0, id="a", name="f"), fragment("", index=1, name="g"), fragment('{"x":1}', index=0)],
        [fragment({"x": 1}, index=0, name="f"), fragment(None, index=1, name="g")],  # type: ignore[arg-type]  # as some do
    ],
)
def test_fragments_of_calls_find_each_other(fragments: list[dict[str, Any]]) -> None:
    reply = chat(*fragments, delta("tool_calls"))
    assert [(call.name, call.arguments.replace(" ", "")) for call in reply.message.calls] == [
        ("f", '{"x":1}'),
        ("g", "{}"),
    ]
    assert len({call.id for call in reply.message.calls} - {""}) == 2


def test_the_older_function_call() -> None:
    reply = chat(
        delta(function_call={"name": "f", "arguments": '{"x'}),
        delta(function_call={"arguments": '":1}'}),
        delta("function_call"),
    )
    (call,) = reply.message.calls
    assert (call.name, call.arguments, reply.stop) == ("f", '{"x":1}', "tool_calls")


def test_arguments_without_a_name_are_no_call() -> None:
    with pytest.raises(ReplyError, match="no name"):
        chat(fragment('{"x":1}', index=3), delta("tool_calls"))


def test_arguments_cut_by_the_limit_are_no_call() -> None:
    pieces: list[Piece] = []
    reply = chat(fragment('{"city": "Ro', index=0, id="c", name="f"), delta("length"), pieces=pieces)
    assert (reply.message.parts, reply.stop, pieces) == ((), "length", [])


def test_a_refusal_is_text_with_its_own_stop() -> None:
    reply = chat(delta(refusal="I ca"), delta(refusal="nnot."), delta("stop"))
    assert (reply.message.text, reply.stop) == ("I cannot.", "refusal")


def test_only_one_answer_is_taken() -> None:
    both = [{"index": index, "delta": {"content": text}} for index, text in ((0, "one"), (1, "two"))]
    assert chat({"choices": both}, delta("stop")).message.text == "one"


def test_usage_in_every_chunk_is_cumulative() -> None:
    def chunk(tokens: int, **fields: Any) -> dict[str, Any]:
        return delta(**fields) | {
            "usage": {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
        }

    usage = chat(
        chunk(1, content="a"), chunk(2, content="b"), chunk(2, finish="stop"), {"choices": [], "usage": None}
    ).usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (5, 2, 7)


@pytest.mark.parametrize(
    ("chunks", "kind", "message"),
    [
        ([{"error": {"message": "busy", "code": 503}}], OverloadedError, "busy"),
        ([delta(content="x"), {"error": {"message": "slow down", "code": 429}, "choices": []}], RateLimitError, "slow"),
        ([delta("error", content="x")], ServerError, "the model stopped: error"),
        ([delta("insufficient_system_resource")], OverloadedError, "insufficient_system_resource"),
        ([{"choices": []}], ReplyError, "no choices"),
        ([], ReplyError, "no choices"),
    ],
)
def test_failures_inside_a_stream(chunks: list[Any], kind: type[BackendError], message: str) -> None:
    with pytest.raises(kind, match=message):
        chat(*chunks)


@pytest.mark.parametrize("body", [{"choices": []}, {"object": "x"}, {"choices": None}])
def test_a_whole_body_without_choices(body: Any) -> None:
    with pytest.raises(ReplyError, match="no choices"):
        chat(body, whole=True)


def test_a_stream_needs_its_end() -> None:
    with pytest.raises(TruncatedReplyError, match=r"without a finish reason and without \[DONE\]"):
        chat(delta(content="half an ans"), done=False)
    assert chat(delta("stop", content="all"), done=False).message.text == "all"
