"""Responses: what is sent, and what is made of answers that no recording holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawmesh.abc.backend import Reply
from clawmesh.errors import (
    BackendError,
    BadRequestError,
    RateLimitError,
    ServerError,
    TruncatedReplyError,
)
from clawmesh.messages import Message, Opaque, Piece, Reasoning, Text, ToolCall
from clawmesh.provider.assembly import Voice
from clawmesh.testing import seeded_ids
from plugins.openai import items
from plugins.openai.options import Options
from plugins.openai.responses import Answer as ResponsesAnswer

from .conversation import (
    CLOSED,
    FUNCTION,
    PIXEL,
    PIXEL_URL,
    RESULT,
    SCHEMA,
    WEATHER,
    request_with,
    turn,
    written,
)

RESPONSES = Options("http://127.0.0.1:1/v1", api="responses")
OFFICIAL = Options("https://api.openai.com/v1")
ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "e="},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "rome"}},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {"type": "output_text", "annotations": [{"type": "url_citation", "url": "u"}], "text": "Rome: "},
            {"type": "output_text", "annotations": [], "text": "a city."},
        ],
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "status": "completed",
        "call_id": "c1",
        "name": "weather",
        "arguments": "{}",
    },
]


def respond(*events: Any, pieces: list[Piece] | None = None) -> Reply:
    """Decode events of Responses."""
    voice = Voice(pieces.append if pieces is not None else lambda piece: None)
    decoder = ResponsesAnswer(voice, seeded_ids(), RESPONSES.provider)
    for event in events:
        decoder.event("message", event if isinstance(event, bytes) else msgspec.json.encode(event))
    return decoder.reply()


def test_a_full_responses_request() -> None:
    request = request_with(
        Message("user", (Text("Look:"), PIXEL)),
        instructions="Be brief.",
        tools=(WEATHER,),
        tool_choice="required",
        parallel_tools=False,
        output_schema=SCHEMA,
        max_tokens=9,
        temperature=0.5,
        reasoning="high",
        session="a/s",
    )
    assert written(items.encode, OFFICIAL, request) == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look:"},
                    {"type": "input_image", "image_url": PIXEL_URL, "detail": "auto"},
                ],
            }
        ],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 9,
        "temperature": 0.5,
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_schema", "name": "answer", "schema": CLOSED, "strict": True}},
        "prompt_cache_key": "a/s",
        "tools": [{"type": "function", "strict": False, **FUNCTION}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }


def test_items_are_given_back_as_they_were() -> None:
    reply = respond({"type": "response.completed", "response": {"status": "completed", "output": ITEMS}})
    assert reply.message.text == "Rome: a city."
    assert [call.id for call in reply.message.calls] == ["c1"]
    body = written(items.encode, RESPONSES, request_with(*turn(reply.message.parts, RESULT)))
    assert body["input"][1:-1] == [*ITEMS, {"type": "function_call_output", "call_id": "c1", "output": "rain"}]


SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}


def test_a_frame_without_its_part_is_dropped() -> None:
    frame = Opaque(RESPONSES.provider, b'{"type":"function_call","id":"fc_1"}')
    message = Message("assistant", (Text("hi"), frame))
    assert written(items.encode, RESPONSES, request_with(message))["input"] == [SAID]


def test_what_another_provider_marked_is_not_sent() -> None:
    foreign = Message("assistant", (Reasoning("hm", "anthropic@x", b"{}"), Opaque("anthropic@x", b"{}"), Text("hi")))
    assert written(items.encode, RESPONSES, request_with(foreign, Message("assistant", ())))["input"] == [SAID]


def test_items_of_a_server_that_does_not_repeat_them() -> None:
    done = [{"type": "response.output_item.done", "output_index": at, "item": item} for at, item in enumerate(ITEMS)]
    reply = respond(*reversed(done), {"type": "response.completed", "response": {"status": "completed", "output": []}})
    assert (reply.message.text, reply.stop) == ("Rome: a city.", "tool_calls")


def test_deltas_are_passed_on_and_unknown_events_are_not_minded() -> None:
    pieces: list[Piece] = []
    reply = respond(
        {"type": "response.created", "response": {"status": "in_progress"}},
        {"type": "response.queued", "response": {"status": "queued"}},
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "Rome: "},
        {"type": "response.invented", "delta": "?"},
        {"type": "response.output_text.delta", "delta": "a city."},
        {"type": "response.completed", "response": {"status": "completed", "output": ITEMS}},
        pieces=pieces,
    )
    assert pieces == [Reasoning("hm"), Text("Rome: "), Text("a city."), ToolCall("c1", "weather", "{}")]
    assert reply.stop == "tool_calls"


@pytest.mark.parametrize(
    ("response", "stop", "detail"),
    [
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
            "max_output_tokens",
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            "content_filter",
        ),
        ({"status": "incomplete"}, "length", "incomplete"),
        ({"status": "completed"}, "end", "completed"),
    ],
)
def test_why_a_response_ended(response: dict[str, Any], stop: str, detail: str) -> None:
    reply = respond({"type": f"response.{response['status']}", "response": {"output": [ITEMS[2]], **response}})
    assert (reply.stop, reply.stop_detail, reply.message.text) == (stop, detail, "Rome: a city.")


def test_a_call_cut_by_the_limit_is_left_out_of_a_response() -> None:
    cut = ITEMS[3] | {"arguments": '{"city": "Ro', "status": "incomplete"}
    details = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert respond({"type": "response.incomplete", "response": {"output": [cut], **details}}).message.calls == ()


def test_a_refusal_in_a_response() -> None:
    message = ITEMS[2] | {"content": [{"type": "refusal", "refusal": "No."}]}
    reply = respond({"type": "response.completed", "response": {"status": "completed", "output": [message]}})
    assert (reply.message.text, reply.stop) == ("No.", "refusal")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "m"}, ServerError),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}, BadRequestError),
        (
            {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "m"}}},
            RateLimitError,
        ),
        ({"type": "response.failed", "response": {"status": "failed"}}, ServerError),
        ({"type": "response.in_progress", "response": {}}, TruncatedReplyError),
    ],
)
def test_failures_of_a_response(event: Any, kind: type[BackendError]) -> None:
    with pytest.raises(kind):
        respond(event)
