"""Backends of type "openai" over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import msgspec
import pytest

from clawmesh.abc.context import Services
from clawmesh.errors import AuthenticationError, UnreachableError
from clawmesh.secret import Secret
from plugins.openai import openai
from tests.http.peer import Talk, serve

from .provider import HELLO, Answer, provider, services


@pytest.fixture
async def host() -> AsyncIterator[Services]:
    async with services() as opened:
        yield opened


def delta(content: str = "", finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


def stream(*chunks: Any) -> bytes:
    return b"".join(
        b"data: " + (chunk if isinstance(chunk, bytes) else msgspec.json.encode(chunk)) + b"\n\n" for chunk in chunks
    )


@pytest.mark.anyio
async def test_a_request_over_the_wire(host: Services) -> None:
    answer = Answer(stream(delta("hi"), delta(finish="stop"), b"[DONE]"), headers={"content-type": "text/html"})
    async with provider(answer) as asked:
        backend = openai(
            host, base_url=f"{asked.url}/v1/", api_key=Secret("sk-1"), headers={"X-Title": "mesh"}, body={"k": 1}
        )
        reply = await backend.complete(HELLO, lambda piece: None)
    assert reply.message.text == "hi"
    head = asked.head.lower().split(b"\r\n")
    assert head[0] == b"post /v1/chat/completions http/1.1"
    assert {b"authorization: bearer sk-1", b"x-title: mesh", b"content-type: application/json"} <= set(head)
    assert asked.body["k"] == 1


@pytest.mark.anyio
async def test_responses_is_a_path_of_its_own(host: Services) -> None:
    body = b'{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]}'
    async with provider(Answer(body)) as asked:
        reply = await openai(host, base_url=asked.url, api="responses").complete(HELLO, lambda piece: None)
    assert asked.head.startswith(b"POST /responses ")
    assert b"authorization" not in asked.head.lower()
    assert reply.message.text == "hi"


@pytest.mark.anyio
async def test_a_connection_lost_after_the_end_takes_nothing_away(host: Services) -> None:
    whole = Answer(b"", pieces=[stream(delta("all")), stream(delta(finish="stop"), b"[DONE]")], cut=True)
    half = Answer(b"", pieces=[stream(delta("half"))], cut=True)
    async with provider(whole) as asked:
        reply = await openai(host, base_url=asked.url).complete(HELLO, lambda piece: None)
    assert reply.message.text == "all"
    async with provider(half) as asked:
        with pytest.raises(UnreachableError):
            await openai(host, base_url=asked.url).complete(HELLO, lambda piece: None)


@pytest.mark.anyio
async def test_a_provider_that_repeats_the_key_does_not_give_it_away(host: Services) -> None:
    body = b'{"error":{"message":"Incorrect API key provided: sk-secret","code":"invalid_api_key"}}'
    async with provider(Answer(body, 401, {"x-request-id": "r1"})) as asked:
        backend = openai(host, base_url=asked.url, api_key=Secret("sk-secret"))
        with pytest.raises(AuthenticationError, match=r"provided: \*\*\*") as caught:
            await backend.complete(HELLO, lambda piece: None)
    assert "sk-secret" not in repr(caught.value)
    assert (caught.value.failure.status, caught.value.failure.request_id) == (401, "r1")


def half(*, then: anyio.Event) -> Callable[[Talk], Awaitable[None]]:
    """Return a provider that says half an answer, falls silent, and tells when the connection is gone."""

    async def script(talk: Talk) -> None:
        await talk.answer(Answer(b"", pieces=[stream(delta("half"))], cut=True).wire)
        await talk.gone()
        then.set()

    return script


@pytest.mark.anyio
async def test_cancelling_closes_the_connection(host: Services) -> None:
    heard, closed = anyio.Event(), anyio.Event()
    async with serve(half(then=closed)) as peer:
        async with anyio.create_task_group() as group:
            group.start_soon(openai(host, base_url=peer.url).complete, HELLO, lambda piece: heard.set())
            await heard.wait()
            group.cancel_scope.cancel()
        await closed.wait()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("seconds", "silence", "reason"),
    [(0.3, 60.0, "longer than 0.3 s in all"), (None, 0.3, "nothing arrived for 0.3 s")],
)
async def test_silence_in_mid_answer_ends(host: Services, seconds: float | None, silence: float, reason: str) -> None:
    closed = anyio.Event()
    async with serve(half(then=closed)) as peer:
        backend = openai(host, base_url=peer.url, silence=silence)
        with pytest.raises(UnreachableError, match=reason):
            await backend.complete(msgspec.structs.replace(HELLO, seconds=seconds), lambda piece: None)
        await closed.wait()
