"""Chat completions as streams: chunks, what ends them, and clients that leave or read slowly."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest

from clawmesh.abc.backend import Reply
from clawmesh.api.openai import exchange
from clawmesh.errors import Failure, OverloadedError, Recourse
from clawmesh.messages import Message, Piece, Reasoning, Retraction, Text, ToolCall, Usage
from clawmesh.testing import RehearsedBackend, StuckBackend, called, said
from tests.api.openai.office import WEATHER, Client, Scripted, add, agent, office
from tests.api.openai.specification import check_chunks

pytestmark = pytest.mark.anyio
ASKED = ToolCall("w", "weather", '{"town":"Ulm"}')

OVERLOADED = OverloadedError("too much", Failure(recourse=Recourse.NONE))


def reply(text: str) -> Reply:
    usage = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
    return Reply(message=Message.assistant(text), stop="end", usage=usage)


def deltas(events: list[Any]) -> list[Any]:
    return [event["choices"][0]["delta"] for event in events if event.get("choices")]


async def test_a_stream_adds_up_to_the_answer() -> None:
    backend = Scripted(reply("hello"), Reasoning("hm"), Text("hel"), Text("lo"))
    async with office(backend) as place:
        answer = await place.chat(stream=True)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.data[-1] == "[DONE]"
        events = answer.events
        check_chunks(events)
        assert {(event["id"], event["object"], event["model"]) for event in events} == {
            (f"chatcmpl_{answer.message}", "chat.completion.chunk", "helper")
        }
        assert all("usage" not in event for event in events)
        assert deltas(events) == [
            {"role": "assistant", "content": ""},
            {"reasoning_content": "hm"},
            {"content": "hello"},
            {},
        ]
        assert [event["choices"][0]["finish_reason"] for event in events] == [None, None, None, "stop"]


async def test_pieces_are_sent_as_they_come() -> None:
    gate = anyio.Event()
    client = Client(b'{"model":"helper","messages":[{"role":"user","content":"hi"}],"stream":true}')
    async with office(Scripted(reply("one two"), Text("o"), Text("ne"), gate, Text(" t"), Text("wo"))) as place:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(place.call, "/v1/chat/completions", client=client))
            await client.begun.wait()
            assert deltas(client.answer.events)[1:] == [{"content": "one"}]
            gate.set()
        assert deltas(client.answer.events)[1:] == [{"content": "one"}, {"content": " two"}, {}]


async def test_usage_comes_last_where_it_is_wanted() -> None:
    async with office(Scripted(reply("x"), Text("x"))) as place:
        events = (await place.chat(stream=True, stream_options={"include_usage": True})).events
        assert [event["usage"] for event in events[:-1]] == [None] * (len(events) - 1)
        check_chunks(events)
        assert events[-1]["choices"] == []
        assert events[-1]["usage"]["total_tokens"] == 3


async def test_calls_of_the_callers_tools_end_the_stream() -> None:
    backend = RehearsedBackend(called(ASKED, ToolCall("t", "weather", "{}"), ToolCall("s", "add", '{"a":1,"b":2}')))
    async with office(backend, agent(tools=("add",)), tools=[add]) as place:
        events = (await place.chat(stream=True, tools=[WEATHER])).events
        check_chunks(events)
        assert deltas(events)[1:] == [
            {"tool_calls": [_delta("w", '{"town":"Ulm"}', 0)]},
            {"tool_calls": [_delta("t", "{}", 1)]},
            {},
        ]
        assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def _delta(id: str, arguments: str, index: int) -> dict[str, Any]:
    return {"id": id, "function": {"name": "weather", "arguments": arguments}, "type": "function", "index": index}


async def test_what_is_said_around_own_tools_stands_apart() -> None:
    lines = [called(ToolCall("1", "add", '{"a":1,"b":2}'), text="I add."), said("3")]
    async with office(lines, agent(tools=("add",)), tools=[add]) as place:
        events = (await place.chat(stream=True)).events
        assert "".join(delta.get("content", "") for delta in deltas(events)) == "I add.\n\n3"


async def test_a_form_is_sent_when_it_is_whole() -> None:
    async with office([said("no JSON"), said("{}")]) as place:
        events = (await place.chat(stream=True, response_format={"type": "json_object"})).events
        assert deltas(events) == [{"role": "assistant", "content": ""}, {"content": "{}"}, {}]
    async with office([Reply(message=Message.assistant("no"), stop="refusal")]) as place:
        events = (await place.chat(stream=True, response_format={"type": "json_object"})).events
        assert deltas(events)[1:] == [{"refusal": "no"}, {}]
        assert events[-1]["choices"][0]["finish_reason"] == "stop"


async def test_what_fails_before_the_first_byte_has_its_status() -> None:
    async with office([OVERLOADED]) as place:
        answer = await place.chat(stream=True)
        assert (answer.status, answer.json["error"]["code"]) == (503, "overloaded")
        assert answer.headers["content-type"] == "application/json"


class Failing(Scripted):
    """Fails after its pieces."""

    async def complete(self, request: Any, emit: Any) -> Reply:
        await super().complete(request, emit)
        raise OVERLOADED


async def test_what_fails_later_is_an_event_and_no_end() -> None:
    gate = anyio.Event()
    client = Client(b'{"model":"helper","messages":[{"role":"user","content":"hi"}],"stream":true}')
    async with office(Failing(reply(""), Text("one"), gate)) as place, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(place.call, "/v1/chat/completions", client=client))
        await client.begun.wait()
        gate.set()
    assert client.answer.done
    assert "[DONE]" not in client.answer.data
    assert client.answer.events[-1]["error"]["code"] == "overloaded"


async def retracted(*pieces: Piece | anyio.Event) -> tuple[Client, Scripted]:
    """Return what a client read; at an event it has read all that came before."""
    gate = next(piece for piece in pieces if isinstance(piece, anyio.Event))
    client = Client(b'{"model":"helper","messages":[{"role":"user","content":"hi"}],"stream":true}')
    backend = Scripted(reply("right"), *pieces)
    async with office(backend) as place, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(place.call, "/v1/chat/completions", client=client))
        await client.begun.wait()
        gate.set()
    return client, backend


async def test_text_that_was_sent_and_taken_back_ends_the_stream() -> None:
    client, backend = await retracted(Text("wrong"), anyio.Event(), Retraction("broke off"), anyio.Event())
    assert client.answer.done
    assert "[DONE]" not in client.answer.data
    assert client.answer.events[-1]["error"]["code"] == "retracted"
    assert backend.left.is_set()


async def test_text_that_was_not_sent_yet_is_dropped() -> None:
    backend = Scripted(reply("right"), Reasoning("a"), Text("wrong"), Retraction("broke off"), Text("right"))
    async with office(backend) as place:
        events = (await place.chat(stream=True)).events
        assert deltas(events)[1:] == [{"content": "right"}, {}]
        assert (await place.chat()).json["choices"][0]["message"]["content"] == "right"


async def test_thoughts_that_were_sent_may_stay() -> None:
    client, _ = await retracted(Reasoning("a"), anyio.Event(), Retraction("broke off"), Reasoning("b"), Text("right"))
    assert deltas(client.answer.events)[1:] == [
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"content": "right"},
        {},
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_work(stream: bool) -> None:
    backend = StuckBackend()
    body = b'{"model":"helper","messages":[{"role":"user","content":"hi"}],"stream":%b}'
    client = Client(body % (b"true" if stream else b"false"))
    async with office(backend) as place:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(place.call, "/v1/chat/completions", client=client))
            await backend.started.wait()
            client.leave()
        await backend.left.wait()
        assert client.answer.status == 0
        await place.engine.drained()


async def test_a_client_that_does_not_read_is_given_up() -> None:
    slow = anyio.Event()
    client = Client(b'{"model":"helper","messages":[{"role":"user","content":"hi"}],"stream":true}', slow=slow)
    gate = anyio.Event()
    much = [Text("x" * 100_000)] * (exchange.BEHIND // 100_000 + 1)
    backend = Scripted(reply(""), Text("one"), gate, *much, anyio.Event())
    async with office(backend) as place, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(place.call, "/v1/chat/completions", client=client))
        await client.begun.wait()
        gate.set()
        await backend.left.wait()
        slow.set()
    assert client.answer.events[-1]["error"]["code"] == "too_far_behind"
    assert len(client.answer.body) < 2000


async def test_a_silent_stream_says_that_it_lives() -> None:
    backend = StuckBackend()
    client = Client(b'{"model":"helper","messages":[{"role":"user","content":"hi"}],"stream":true}')
    async with office(backend, quiet=0.01) as place, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(place.call, "/v1/chat/completions", client=client))
        await client.begun.wait()
        assert deltas(client.answer.events) == [{"role": "assistant", "content": ""}]
        client.begun = anyio.Event()
        await client.begun.wait()
        assert client.answer.body.endswith(b": still at work\n\n")
        client.leave()
