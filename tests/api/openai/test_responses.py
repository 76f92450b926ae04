"""Responses, whole and as events."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from clawmesh.abc.backend import Reply, Stop
from clawmesh.errors import Failure, OverloadedError, Recourse
from clawmesh.messages import Image, Message, Reasoning, Retraction, Text, ToolCall, ToolResult, Usage
from clawmesh.testing import RehearsedBackend, StuckBackend, called, said
from tests.api.openai.office import GUEST, Answer, Client, Office, Scripted, add, agent, office
from tests.api.openai.specification import check_events, check_response

pytestmark = pytest.mark.anyio
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": True}
ASKED = ToolCall("w", "weather", '{"town":"Ulm"}')
TOLD = Reply(
    message=Message("assistant", (Reasoning("hm"), Text("hello"))),
    stop="end",
    usage=Usage(input_tokens=3, output_tokens=5, cache_read_tokens=4, reasoning_tokens=2, total_tokens=12),
)


async def respond(place: Office, input: Any = "hi", **rest: Any) -> Answer:
    call = {name: rest.pop(name) for name in ("token", "headers", "client") if name in rest}
    return await place.call("/v1/responses", {"model": "helper", "input": input, **rest}, **call)


def kinds(answer: Answer) -> list[str]:
    return [event["type"].removeprefix("response.") for event in answer.events]


def check_stream(answer: Answer) -> dict[str, Any]:
    """Check what holds for every stream, and return the response of its last event."""
    events = answer.events
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert {event["response"]["id"] for event in events if "response" in event} == {f"resp_{answer.message}"}
    names = [line[7:] for line in answer.body.decode().splitlines() if line.startswith("event: ")]
    assert names == [event["type"] for event in events]
    response: dict[str, Any] = events[-1]["response"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert response["output"] == done
    for item in done:
        deltas = [event["delta"] for event in events if event.get("item_id") == item["id"] and "delta" in event]
        shown = item.get("arguments") or (item.get("content") or item.get("summary"))[0]
        text = shown if isinstance(shown, str) else shown.get("text") or shown.get("refusal")
        assert "".join(deltas) == text
    return response


def stable(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response without what is another for every one."""
    output = [{**item, "id": ""} for item in response["output"]]
    return {**response, "id": "", "created_at": 0, "completed_at": 0, "output": output}


async def test_a_message_is_answered() -> None:
    async with office([TOLD]) as place:
        answer = await respond(place)
        assert answer.status == 200
        body = answer.json
        assert (body["object"], body["status"], body["model"]) == ("response", "completed", "helper")
        assert body["error"] is None
        thought, message = body["output"]
        assert thought["summary"] == [{"text": "hm", "type": "summary_text"}]
        assert message["content"] == [{"text": "hello", "type": "output_text", "annotations": [], "logprobs": []}]
        assert body["usage"] == {
            "input_tokens": 7,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 12,
        }
        check_response(body)


async def test_a_stream_adds_up_to_the_answer() -> None:
    async with office([TOLD, TOLD]) as place:
        whole, stream = (await respond(place)).json, await respond(place, stream=True)
        assert stable(check_stream(stream)) == stable(whole)
        assert kinds(stream) == [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
        check_events(stream.events)


async def test_what_is_said_reaches_the_model_and_is_repeated() -> None:
    backend = RehearsedBackend(said("{}"))
    schema = {"type": "object", "properties": {}}
    input = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "one"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "let me see"}]},
        {"type": "function_call", "call_id": "w", "name": "weather", "arguments": '{"town":"Ulm"}'},
        {"type": "function_call_output", "call_id": "w", "output": [{"type": "input_text", "text": "rain"}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "two"},
                {"type": "input_image", "image_url": "data:image/gif;base64,AAAA", "detail": "auto"},
            ],
        },
    ]
    form = {"type": "json_schema", "name": "a", "schema": schema, "strict": True}
    async with office(backend, agent(instructions="Be good.")) as place:
        answer = await respond(
            place,
            input,
            instructions="Be brief.",
            text={"format": form, "verbosity": "low"},
            max_output_tokens=7,
            temperature=0.5,
            top_p=0.25,
            reasoning={"effort": "low", "summary": "auto"},
            tools=[WEATHER],
            parallel_tool_calls=False,
            metadata={"a": "b"},
            store=True,
            include=["reasoning.encrypted_content"],
        )
        body = answer.json
    (request,) = backend.requests
    assert request.instructions == "Be good.\n\nBe brief.\n\nBe kind."
    assert request.messages == (
        Message.user("one"),
        Message("assistant", (Text("let me see"), ASKED)),
        Message("tool", (ToolResult("w", "weather", (Text("rain"),)),)),
        Message("user", (Text("two"), Image(media_type="image/gif", data=b"\0\0\0"))),
    )
    assert (request.output_schema, request.max_tokens, request.reasoning) == (schema, 7, "low")
    assert body["instructions"] == "Be brief."
    assert body["text"]["format"]["schema"] == schema
    assert body["text"]["verbosity"] == "low"
    assert (body["temperature"], body["top_p"], body["max_output_tokens"]) == (0.5, 0.25, 7)
    assert (body["reasoning"], body["metadata"]) == ({"effort": "low", "summary": "auto"}, {"a": "b"})
    assert (body["store"], body["parallel_tool_calls"]) == (False, False)
    assert body["tools"][0] == {**WEATHER, "description": None}
    check_response(body)


async def test_the_callers_tools_make_a_round_trip() -> None:
    own = ToolCall("s", "add", '{"a":1,"b":2}')
    backend = RehearsedBackend(called(ASKED, own, text="Let me see."), said("rain"))
    async with office(backend, agent(tools=("add",)), tools=[add]) as place:
        stream = await respond(place, "weather?", tools=[WEATHER], stream=True)
        response = check_stream(stream)
        message, call = response["output"]
        assert message["content"][0]["text"] == "Let me see."
        assert (call["call_id"], call["name"], call["arguments"]) == ("w", "weather", '{"town":"Ulm"}')
        assert (response["status"], call["status"]) == ("completed", "completed")
        check_events(stream.events)
        news = [*response["output"], {"type": "function_call_output", "call_id": "w", "output": "rain"}]
        last = await respond(place, [{"role": "user", "content": "weather?"}, *news], tools=[WEATHER])
        assert last.json["output"][0]["content"][0]["text"] == "rain"
    assert backend.requests[1].messages[1:] == (
        Message("assistant", (Text("Let me see."), ASKED)),
        Message("tool", (ToolResult("w", "weather", (Text("rain"),)),)),
    )


async def test_a_conversation_is_kept() -> None:
    backend = RehearsedBackend(said("one"), said("two"))
    async with office(backend) as place:
        await respond(place, "first", conversation="talk")
        answer = await respond(place, "second", conversation={"id": "talk"})
        assert answer.json["conversation"] == {"id": "talk"}
        assert answer.headers["x-clawmesh-session"] == "talk"
    assert [message.text for message in backend.requests[1].messages] == ["first", "one", "second"]


async def test_what_is_said_around_own_tools_is_items_of_their_own() -> None:
    lines = [called(ToolCall("1", "add", '{"a":1,"b":2}'), text="I add."), said("3")]
    async with office(lines, agent(tools=("add",)), tools=[add]) as place:
        response = check_stream(await respond(place, stream=True))
        assert [item["content"][0]["text"] for item in response["output"]] == ["I add.", "3"]


@pytest.mark.parametrize(
    ("stop", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("end", None)]
)
async def test_an_answer_that_is_cut_is_incomplete(stop: Stop, reason: str | None) -> None:
    reply = Reply(message=Message.assistant("half"), stop=stop)
    async with office([reply, reply]) as place:
        whole, stream = (await respond(place)).json, await respond(place, stream=True)
        response = check_stream(stream)
        assert stable(response) == stable(whole)
        assert response["incomplete_details"] == (reason and {"reason": reason})
        assert response["status"] == response["output"][0]["status"] == ("incomplete" if reason else "completed")
        assert kinds(stream)[-1] == response["status"]
        check_events(stream.events)
        check_response(whole)


async def test_a_refusal_instead_of_a_form_is_told_as_one() -> None:
    async with office([Reply(message=Message.assistant("no"), stop="refusal")]) as place:
        stream = await respond(place, stream=True, text={"format": {"type": "json_object"}})
        response = check_stream(stream)
        assert response["output"][0]["content"] == [{"refusal": "no", "type": "refusal"}]
        check_events(stream.events)


async def test_what_fails_before_the_first_byte_has_its_status() -> None:
    async with office([OverloadedError("too much", Failure(recourse=Recourse.NONE))]) as place:
        answer = await respond(place, stream=True)
        assert (answer.status, answer.json["error"]["code"]) == (503, "overloaded")


async def test_what_is_taken_back_after_it_was_sent_fails() -> None:
    gate = anyio.Event()
    client = Client(b'{"model":"helper","input":"hi","stream":true}')
    backend = Scripted(said("right"), Text("wrong"), gate, Retraction("broke off"), anyio.Event())
    async with office(backend) as place, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(place.call, "/v1/responses", client=client))
        await client.begun.wait()
        gate.set()
    response = check_stream(client.answer)
    assert kinds(client.answer)[-1] == "failed"
    assert response["error"]["code"] == "server_error"
    assert response["output"][0]["status"] == "incomplete"
    check_events(client.answer.events)


async def test_a_client_that_leaves_ends_the_work() -> None:
    backend = StuckBackend()
    client = Client(b'{"model":"helper","input":"hi","stream":true}')
    async with office(backend) as place:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(place.call, "/v1/responses", client=client))
            await backend.started.wait()
            client.leave()
        await backend.left.wait()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 1}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": "x"}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"text": {"verbosity": 1}}, "text.verbosity"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "x"}}, "prompt"),
        ({"previous_response_id": "resp_x"}, "previous_response_id"),
        ({"previous_response_id": "chatcmpl_x"}, "previous_response_id"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"conversation": {"name": "x"}}, "conversation.id"),
    ],
)
async def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    async with office([said("x")]) as place:
        answer = await respond(place, **{"input": "hi", **fields})
        assert (answer.status, answer.json["error"]["param"]) == (400, param)


async def test_a_response_may_go_on_from_any_other() -> None:
    own = ToolCall("s", "add", '{"a":1,"b":2}')
    backend = RehearsedBackend(called(ASKED, own), said("rain"), said("snow"), said("well"))
    result = {"type": "function_call_output", "call_id": "w"}
    async with office(backend, agent(tools=("add",)), tools=[add]) as place:
        first = await respond(place, "weather?", tools=[WEATHER], instructions="Be brief.")
        id = first.json["id"]
        for text in ("rain", "snow"):
            news = [{**result, "output": text}]
            answer = await respond(place, news, previous_response_id=id, tools=[WEATHER], stream=True)
            response = check_stream(answer)
            assert (response["previous_response_id"], response["output"][0]["content"][0]["text"]) == (id, text)
            check_events(answer.events)
        await respond(place, "well?", previous_response_id=response["id"])
    assert backend.requests[1].instructions == ""
    asked = Message("assistant", (ASKED, own))
    both = (ToolResult("s", "add", (Text("3"),)), ToolResult("w", "weather", (Text("snow"),)))
    begun = (Message.user("weather?"), asked, Message("tool", both))
    assert backend.requests[2].messages == begun
    assert backend.requests[3].messages == (*begun, Message.assistant("snow"), Message.user("well?"))


async def test_a_response_that_cannot_be_gone_on_from_is_refused() -> None:
    failing = OverloadedError("too much", Failure(recourse=Recourse.NONE))
    async with office([said("one"), said("two"), failing]) as place:
        kept = (await respond(place, conversation="talk")).json["id"]
        answer = await respond(place, previous_response_id=kept)
        assert '"talk"' in answer.json["error"]["message"]
        alone = (await respond(place)).json["id"]
        stranger = await respond(place, previous_response_id=alone, token=GUEST)
        assert stranger.json["error"]["code"] == "previous_response_not_found"
        both = await respond(place, previous_response_id=alone, conversation="talk")
        assert both.json["error"]["param"] == "previous_response_id"
        failed = await respond(place)
        answer = await respond(place, previous_response_id=f"resp_{failed.message}")
        assert "no answer" in answer.json["error"]["message"]


async def test_no_response_is_kept() -> None:
    async with office() as place:
        for method in ("GET", "DELETE"):
            answer = await place.call("/v1/responses/resp_x", method=method)
            assert (answer.status, answer.json["error"]["code"]) == (404, "not_found")


async def test_items_follow_each_other() -> None:
    parts = (Text("a"), Reasoning("b"), Text("c"))
    async with office([Reply(message=Message("assistant", parts), stop="end")]) as place:
        events = (await respond(place, stream=True)).events
        indices = [event["output_index"] for event in events if "output_index" in event]
        assert all(later - sooner in (0, 1) for sooner, later in pairwise(indices))
        assert indices[-1] == 2
