"""OpenAI's own client for Python against the real server."""

from __future__ import annotations

import anyio
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam, ResponseInputParam
from pydantic import BaseModel

from clawmesh import errors
from clawmesh.abc.backend import Reply
from clawmesh.errors import Failure, Recourse
from clawmesh.messages import Image, Message, Reasoning, Text, ToolCall
from clawmesh.testing import RehearsedBackend, StuckBackend, called, said
from tests.api.openai.hall import hall
from tests.api.openai.office import Scripted, add, agent

pytestmark = pytest.mark.anyio
FINAL = Failure(recourse=Recourse.NONE)
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOLD = Reply(message=Message("assistant", (Reasoning("hm"), Text("hello there"))), stop="end")
ASKED = ToolCall("w", "weather", '{"town":"Ulm"}')
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}},
}
WEATHER_FLAT: FunctionToolParam = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    "strict": None,
}
HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]


class Forecast(BaseModel):
    town: str
    rain: bool


async def test_models() -> None:
    async with hall([], agent(), agent("other")) as place:
        assert [model.id async for model in place.client.models.list()] == ["helper", "other"]
        assert (await place.client.models.retrieve("other")).owned_by == "clawmesh"


async def test_a_completion() -> None:
    async with hall([TOLD]) as place:
        completion = await place.client.chat.completions.create(model="helper", messages=HI)
        assert completion.choices[0].message.content == "hello there"
        assert completion._request_id is not None
        assert completion.id == completion._request_id.replace("env_", "chatcmpl_")


async def test_a_completion_as_a_stream() -> None:
    backend = Scripted(TOLD, Reasoning("hm"), Text("hello"), Text(" there"))
    async with hall(backend) as place:
        create = place.client.chat.completions.create
        stream = await create(model="helper", messages=HI, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == "hello there"
        assert chunks[-1].usage is not None
        async with place.client.chat.completions.stream(model="helper", messages=HI) as events:
            final = await events.get_final_completion()
        assert final.choices[0].message.content == "hello there"
        assert final.choices[0].finish_reason == "stop"


async def test_a_completion_with_tools() -> None:
    own = ToolCall("s", "add", '{"a":1,"b":2}')
    backend = RehearsedBackend(called(ASKED, own), said("rain"), called(ASKED))
    async with hall(backend, agent(tools=("add",)), tools=[add]) as place:
        create = place.client.chat.completions.create
        asked = await create(model="helper", messages=HI, tools=[WEATHER])
        message = asked.choices[0].message
        assert message.tool_calls is not None
        (call,) = message.tool_calls
        assert call.type == "function"
        assert (call.id, call.function.name, call.function.arguments) == ("w", "weather", '{"town":"Ulm"}')
        turn: list[ChatCompletionMessageParam] = [
            *HI,
            message.to_dict(),  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": "w", "content": "rain"},
        ]
        told = await create(model="helper", messages=turn, tools=[WEATHER])
        assert told.choices[0].message.content == "rain"
        async with place.client.chat.completions.stream(model="helper", messages=HI, tools=[WEATHER]) as events:
            final = await events.get_final_completion()
        assert final.choices[0].message.tool_calls is not None
        assert final.choices[0].message.tool_calls[0].function.arguments == '{"town":"Ulm"}'
        assert final.choices[0].finish_reason == "tool_calls"


async def test_a_completion_of_a_form() -> None:
    lines = [said("no"), said('{"town":"Ulm","rain":true}'), Reply(message=Message.assistant("no"), stop="refusal")]
    async with hall(lines) as place:
        parse = place.client.chat.completions.parse
        parsed = await parse(model="helper", messages=HI, response_format=Forecast)
        assert parsed.choices[0].message.parsed == Forecast(town="Ulm", rain=True)
        refused = await parse(model="helper", messages=HI, response_format=Forecast)
        assert refused.choices[0].message.refusal == "no"


async def test_a_completion_about_an_image() -> None:
    backend = RehearsedBackend(said("a dot"))
    picture: ChatCompletionMessageParam = {
        "role": "user",
        "content": [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
    }
    async with hall(backend) as place:
        await place.client.chat.completions.create(model="helper", messages=[picture])
    assert backend.requests[0].messages[0].parts[1] == Image(media_type="image/png", data=b"\x89PNG\r\n\x1a\n")


async def test_a_response() -> None:
    async with hall([TOLD]) as place:
        response = await place.client.responses.create(model="helper", input="hi")
        assert (response.output_text, response.status) == ("hello there", "completed")
        assert [item.type for item in response.output] == ["reasoning", "message"]


async def test_a_response_as_a_stream() -> None:
    backend = Scripted(TOLD, Reasoning("hm"), Text("hello"), Text(" there"))
    async with hall(backend) as place:
        async with place.client.responses.stream(model="helper", input="hi") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert final.output_text == "hello there"
        assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
        assert "response.reasoning_summary_text.delta" in kinds


async def test_a_response_with_tools() -> None:
    own = ToolCall("s", "add", '{"a":1,"b":2}')
    backend = RehearsedBackend(called(ASKED, own), said("rain"), called(ASKED))
    async with hall(backend, agent(tools=("add",)), tools=[add]) as place:
        turn: ResponseInputParam = [{"role": "user", "content": "hi"}]
        asked = await place.client.responses.create(model="helper", input=turn, tools=[WEATHER_FLAT])
        (call,) = asked.output
        assert call.type == "function_call"
        turn += [item.to_dict() for item in asked.output]  # type: ignore[misc]
        turn.append({"type": "function_call_output", "call_id": call.call_id, "output": "rain"})
        told = await place.client.responses.create(model="helper", input=turn, tools=[WEATHER_FLAT])
        assert told.output_text == "rain"
        async with place.client.responses.stream(model="helper", input="hi", tools=[WEATHER_FLAT]) as stream:
            final = await stream.get_final_response()
        assert final.output[0].type == "function_call"
        assert final.output[0].arguments == '{"town":"Ulm"}'


async def test_a_response_of_a_form() -> None:
    async with hall([said('{"town":"Ulm","rain":true}')]) as place:
        parsed = await place.client.responses.parse(model="helper", input="hi", text_format=Forecast)
        assert parsed.output_parsed == Forecast(town="Ulm", rain=True)


async def test_a_response_about_an_image() -> None:
    backend = RehearsedBackend(said("a dot"))
    async with hall(backend) as place:
        await place.client.responses.create(
            model="helper",
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "what?"},
                        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
                    ],
                }
            ],
        )
    assert backend.requests[0].messages[0].parts[1] == Image(media_type="image/png", data=b"\x89PNG\r\n\x1a\n")


async def test_a_response_that_goes_on_from_another() -> None:
    backend = RehearsedBackend(called(ASKED), said("rain"), said("again"))
    async with hall(backend) as place:
        create = place.client.responses.create
        asked = await create(model="helper", input="weather?", tools=[WEATHER_FLAT])
        told = await create(
            model="helper",
            previous_response_id=asked.id,
            input=[{"type": "function_call_output", "call_id": "w", "output": "rain"}],
            tools=[WEATHER_FLAT],
        )
        assert (told.output_text, told.previous_response_id) == ("rain", asked.id)
        await create(model="helper", input="again?", previous_response_id=told.id)
        with pytest.raises(openai.BadRequestError) as unknown:
            await create(model="helper", input="x", previous_response_id="resp_x")
        assert unknown.value.code == "previous_response_not_found"
    assert [message.role for message in backend.requests[2].messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


async def test_a_conversation() -> None:
    backend = RehearsedBackend(said("one"), said("two"))
    async with hall(backend) as place:
        for text in ("first", "second"):
            await place.client.responses.create(model="helper", input=text, conversation="talk")
    assert [message.text for message in backend.requests[1].messages] == ["first", "one", "second"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.BadRequestError("x", FINAL), openai.BadRequestError),
        (errors.RateLimitError("x", FINAL), openai.RateLimitError),
        (errors.OverloadedError("x", FINAL), openai.InternalServerError),
        (errors.AuthenticationError("x", FINAL), openai.InternalServerError),
        (errors.RefusedError("x"), openai.PermissionDeniedError),
        (errors.LimitError("x", limit="steps"), openai.RateLimitError),
    ],
)
async def test_errors(error: Exception, expected: type[openai.APIStatusError]) -> None:
    async with hall([error, error, error]) as place:
        with pytest.raises(expected):
            await place.client.chat.completions.create(model="helper", messages=HI)
        with pytest.raises(expected):
            await place.client.chat.completions.create(model="helper", messages=HI, stream=True)
        with pytest.raises(expected):
            await place.client.responses.create(model="helper", input="hi")


async def test_errors_of_the_request() -> None:
    async with hall() as place:
        with pytest.raises(openai.NotFoundError, match="there is no model") as unknown:
            await place.client.chat.completions.create(model="nobody", messages=HI)
        assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError) as wrong:
            await place.client.chat.completions.create(model="helper", messages=HI, n=2)
        assert wrong.value.param == "n"
        with pytest.raises(openai.NotFoundError):
            await place.client.responses.retrieve("resp_x")
        with pytest.raises(openai.BadRequestError):
            await place.client.embeddings.create(model="helper", input="x")


async def test_a_turn_that_failed_is_not_tried_again() -> None:
    backend = RehearsedBackend(errors.ServerError("x", FINAL), said("again"))
    async with hall(backend) as place:
        with pytest.raises(openai.InternalServerError):
            await place.client.with_options(max_retries=2).chat.completions.create(model="helper", messages=HI)
    assert len(backend.requests) == 1


class Failing(Scripted):
    """Fails after its pieces."""

    async def complete(self, request: object, emit: object) -> Reply:
        await super().complete(request, emit)  # type: ignore[arg-type]
        raise errors.ServerError("broken", FINAL)


async def test_an_error_in_mid_stream() -> None:
    gate, again = anyio.Event(), anyio.Event()
    async with hall(Failing(TOLD, Text("half"), gate)) as place:
        stream = await place.client.chat.completions.create(model="helper", messages=HI, stream=True)
        assert (await anext(stream)).choices[0].delta.role == "assistant"
        gate.set()
        with pytest.raises(openai.APIError, match="broken"):
            async for _ in stream:
                pass
    async with hall(Failing(TOLD, Text("half"), again)) as place:
        events = await place.client.responses.create(model="helper", input="hi", stream=True)
        assert (await anext(events)).type == "response.created"
        again.set()
        last = [event async for event in events][-1]
        assert last.type == "response.failed"
        assert last.response.error is not None
        assert "broken" in last.response.error.message


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_work(stream: bool) -> None:
    backend = StuckBackend()
    async with hall(backend) as place, anyio.create_task_group() as tasks:

        async def ask() -> None:
            await place.client.chat.completions.create(model="helper", messages=HI, stream=stream)

        tasks.start_soon(ask)
        await backend.started.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await backend.left.wait()


async def test_a_client_that_leaves_in_mid_stream_ends_the_work() -> None:
    backend = Scripted(TOLD, Text("half"), anyio.Event())
    async with hall(backend) as place:
        stream = await place.client.chat.completions.create(model="helper", messages=HI, stream=True)
        await anext(stream)
        await stream.close()
        await backend.left.wait()
