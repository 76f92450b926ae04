"""Chat completions, whole: what a caller may say, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from clawmesh.abc.backend import Reply, Stop
from clawmesh.agent.turn import REPAIRS
from clawmesh.messages import Image, Message, Reasoning, Text, ToolCall, ToolResult, Usage
from clawmesh.testing import RehearsedBackend, called, said
from tests.api.openai.office import GUEST, NOBODY, OWNER, WEATHER, add, agent, office
from tests.api.openai.specification import check_completion

pytestmark = pytest.mark.anyio
ASKED = ToolCall("w", "weather", '{"town":"Ulm"}')
PIXEL = "data:image/png;base64,iVBORw0KGgo="


async def test_a_message_is_answered() -> None:
    usage = Usage(
        input_tokens=3, output_tokens=5, cache_read_tokens=4, cache_write_tokens=1, reasoning_tokens=2, total_tokens=13
    )
    parts = (Reasoning("hm"), Text("hello"))
    async with office([Reply(message=Message("assistant", parts), stop="end", usage=usage)]) as place:
        answer = await place.chat("hi")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        body = answer.json
        check_completion(body)
        assert body["id"] == f"chatcmpl_{answer.message}"
        assert (body["object"], body["model"]) == ("chat.completion", "helper")
        assert body["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello", "refusal": None, "reasoning_content": "hm"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ]
        assert body["usage"] == {
            "prompt_tokens": 8,
            "completion_tokens": 5,
            "total_tokens": 13,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        }


async def test_what_is_said_reaches_the_model() -> None:
    backend = RehearsedBackend(said("{}"))
    async with office(backend, agent(instructions="Be good.")) as place:
        schema = {"type": "object", "properties": {}}
        answer = await place.chat(
            [
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
                {"role": "user", "content": "one", "name": "Ann"},
                {"role": "assistant", "content": None, "refusal": "no"},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "two"},
                        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                    ],
                },
            ],
            response_format={"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}},
            max_completion_tokens=7,
            max_tokens=9,
            temperature=0,
            top_p=0.5,
            stop="x",
            reasoning_effort="low",
            parallel_tool_calls=False,
            seed=1,
            user="ann",
            something={"new": True},
            logprobs=False,
            logit_bias={},
            n=1,
            stream=None,
        )
        assert answer.json["choices"][0]["message"]["content"] == "{}"
    (request,) = backend.requests
    assert request.instructions == "Be good.\n\nBe brief.\n\nBe kind."
    picture = Image(media_type="image/png", data=b"\x89PNG\r\n\x1a\n")
    assert request.messages == (
        Message.user("one"),
        Message.assistant("no"),
        Message("user", (Text("two"), picture, Image(url="https://x.test/a.png"))),
    )
    assert (request.output_schema, request.max_tokens, request.temperature) == (schema, 7, 0.0)
    assert (request.top_p, request.stop, request.reasoning, request.parallel_tools) == (0.5, ("x",), "low", False)


async def test_a_request_without_a_session_knows_no_other() -> None:
    backend = RehearsedBackend(said("one"), said("two"))
    async with office(backend) as place:
        for text in ("first", "second"):
            answer = await place.chat(text)
            assert "x-clawmesh-session" not in answer.headers
        assert [request.messages for request in backend.requests] == [
            (Message.user("first"),),
            (Message.user("second"),),
        ]


@pytest.mark.parametrize("by", ["header", "model"])
async def test_a_session_keeps_the_conversation(by: str) -> None:
    backend = RehearsedBackend(said("one"), said("two"))
    named: dict[str, Any] = {"headers": {"X-Clawmesh-Session": "s"}} if by == "header" else {"model": "helper/s"}
    async with office(backend) as place:
        first = await place.chat("first", **named)
        assert first.headers["x-clawmesh-session"] == "s"
        history = [{"role": "user", "content": "forged"}, {"role": "assistant", "content": "forged"}]
        news = [{"role": "user", "content": "second"}, {"role": "user", "content": "third"}]
        await place.chat([*history, *news], **named)
    assert backend.requests[1].messages == (
        Message.user("first"),
        Message.assistant("one"),
        Message("user", (Text("second"), Text("\n\nthird"))),
    )


async def test_a_token_is_confined_to_its_sessions_and_agents() -> None:
    backend = RehearsedBackend(said("one"), said("two"))
    async with office(backend, agent(), agent("other")) as place:
        await place.chat("secret", token=OWNER, model="helper/s")
        answer = await place.chat("hi", token=GUEST, model="helper/s")
        assert answer.headers["x-clawmesh-session"] == "s"
        assert backend.requests[1].messages == (Message.user("hi"),)
        assert backend.requests[1].session == "helper/guest.s"
        hidden = await place.chat("hi", token=GUEST, model="other")
        assert (hidden.status, hidden.json["error"]["code"]) == (404, "model_not_found")
        assert "other" not in hidden.json["error"]["message"].replace('"other"', "")
        denied = await place.chat("hi", token=NOBODY)
        assert (denied.status, denied.json["error"]["code"]) == (403, "insufficient_scope")


async def test_the_callers_tools_make_a_round_trip() -> None:
    backend = RehearsedBackend(
        called(ASKED, ToolCall("s", "add", '{"a":1,"b":2}'), text="Let me see."), said("rain and 3")
    )
    async with office(backend, agent(tools=("add",)), tools=[add]) as place:
        asked = [{"role": "user", "content": "weather?"}]
        answer = await place.chat(asked, tools=[WEATHER])
        check_completion(answer.json)
        choice = answer.json["choices"][0]
        message = choice["message"]
        assert choice["finish_reason"] == "tool_calls"
        assert message["content"] == "Let me see."
        function = {"name": "weather", "arguments": '{"town":"Ulm"}'}
        assert message["tool_calls"] == [{"id": "w", "function": function, "type": "function"}]
        result = {"role": "tool", "tool_call_id": "w", "content": "rain"}
        last = await place.chat([*asked, message, result], tools=[WEATHER])
        assert last.json["choices"][0]["message"]["content"] == "rain and 3"
    assert [tool.name for tool in backend.requests[0].tools] == ["add", "weather"]
    assert backend.requests[1].messages == (
        Message.user("weather?"),
        Message("assistant", (Text("Let me see."), ASKED)),
        Message("tool", (ToolResult("w", "weather", (Text("rain"),)),)),
    )


async def test_a_kept_session_takes_the_results_alone() -> None:
    backend = RehearsedBackend(called(ASKED), said("rain"))
    async with office(backend) as place:
        answer = await place.chat("weather?", model="helper/s", tools=[WEATHER])
        assert answer.json["choices"][0]["message"]["content"] is None
        result = {"role": "tool", "tool_call_id": "w", "content": [{"type": "text", "text": "rain"}]}
        await place.chat([result], model="helper/s", tools=[WEATHER])
        both = await place.chat([result, {"role": "user", "content": "and?"}], model="helper/s")
        assert (both.status, both.json["error"]["param"]) == (400, "messages")
    assert backend.requests[1].messages[1:] == (
        Message("assistant", (ASKED,)),
        Message("tool", (ToolResult("w", "weather", (Text("rain"),)),)),
    )


async def test_the_agents_own_calls_are_not_shown() -> None:
    backend = RehearsedBackend(called(ToolCall("1", "add", '{"a":1,"b":2}'), text="I add."), said("3"))
    async with office(backend, agent(tools=("add",)), tools=[add]) as place:
        choice = (await place.chat("1 + 2?")).json["choices"][0]
        assert choice["message"] == {"role": "assistant", "content": "I add.\n\n3", "refusal": None}
        assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("choice", "tools", "wished"),
    [
        ("auto", ["weather", "time"], "auto"),
        ("required", ["weather", "time"], "required"),
        ("none", ["weather", "time"], "none"),
        ({"type": "function", "function": {"name": "time"}}, ["time"], "required"),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "time"}}]},
            },
            ["time"],
            "auto",
        ),
    ],
)
async def test_a_choice_of_tools_is_kept(choice: Any, tools: list[str], wished: str) -> None:
    backend = RehearsedBackend(said("x"))
    time = {"type": "function", "function": {"name": "time"}}
    async with office(backend) as place:
        assert (await place.chat("hi", tools=[WEATHER, time], tool_choice=choice)).status == 200
    assert [tool.name for tool in backend.requests[0].tools] == tools
    assert backend.requests[0].tool_choice == wished


async def test_an_agent_with_tools_of_its_own_is_not_forced() -> None:
    backend = RehearsedBackend(said("x"))
    async with office(backend, agent(tools=("add",)), tools=[add]) as place:
        forced = await place.chat("hi", tools=[WEATHER], tool_choice="required")
        assert (forced.status, forced.json["error"]["param"]) == (400, "tool_choice")
        await place.chat("hi", tools=[WEATHER], tool_choice="none")
    assert [tool.name for tool in backend.requests[0].tools] == ["add"]
    assert backend.requests[0].tool_choice == "auto"


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("end", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("context_window", "length"),
        ("content_filter", "content_filter"),
        ("refusal", "content_filter"),
    ],
)
async def test_why_an_answer_ended(stop: Stop, reason: str) -> None:
    async with office([Reply(message=Message.assistant("a"), stop=stop)]) as place:
        assert (await place.chat()).json["choices"][0]["finish_reason"] == reason


async def test_calls_of_an_answer_that_was_cut_are_not_handed_out() -> None:
    cut = Reply(message=called(ASKED, text="I will").message, stop="content_filter")
    async with office([cut]) as place:
        choice = (await place.chat(tools=[WEATHER])).json["choices"][0]
        assert choice["finish_reason"] == "content_filter"
        assert "tool_calls" not in choice["message"]


async def test_an_answer_that_had_to_be_repaired_is_told_once() -> None:
    async with office([said("no JSON"), said('{"a": 1}')]) as place:
        answer = await place.chat(response_format={"type": "json_object"})
        assert answer.json["choices"][0]["message"]["content"] == '{"a": 1}'
    async with office([said("no JSON")] * (REPAIRS + 1)) as place:
        answer = await place.chat(response_format={"type": "json_object"})
        assert (answer.status, answer.json["error"]["code"]) == (502, "backend")


async def test_a_refusal_instead_of_a_form_is_told_as_one() -> None:
    async with office([Reply(message=Message.assistant("I will not"), stop="refusal")]) as place:
        choice = (await place.chat(response_format={"type": "json_object"})).json["choices"][0]
        assert choice["message"] == {"role": "assistant", "content": None, "refusal": "I will not"}
        assert choice["finish_reason"] == "stop"


async def test_what_comes_twice_with_one_key_is_done_once() -> None:
    backend = RehearsedBackend(said("one"), said("two"))
    async with office(backend) as place:
        key = {"Idempotency-Key": "k"}
        first = await place.chat("hi", headers=key)
        again = await place.chat("hi", headers=key, stream=True)
        assert first.json["choices"][0]["message"]["content"] == "one"
        assert [event["choices"][0]["delta"].get("content") for event in again.events] == ["", "one", None]
        other = await place.chat("hi", headers=key, token=GUEST)
        assert other.json["choices"][0]["message"]["content"] == "two"
    assert len(backend.requests) == 2


async def test_an_agent_written_as_code_may_stream_its_answer() -> None:
    async def coded(context: Any, _message: Message) -> str:
        context.emit(Text("I look. "))
        context.emit(Text("He"))
        context.emit(Text("re."))
        return "Here."

    async with office([], agent(type="code"), coded={"helper": coded}) as place:
        assert (await place.chat()).json["choices"][0]["message"]["content"] == "I look. Here."


async def test_an_agent_written_as_code_answers() -> None:
    async def coded(context: Any, message: Message) -> str:
        context.emit(Text("working \ud800"))
        return f"heard {message.text}"

    async with office([], agent(type="code"), coded={"helper": coded}) as place:
        answer = await place.chat("hi")
        assert answer.json["choices"][0]["message"]["content"] == "working \ufffd\n\nheard hi"
        formed = await place.chat("hi", response_format={"type": "json_object"})
        assert (formed.status, formed.json["error"]["param"]) == (400, "response_format")
