"""OpenAI's own client against all that is served: guard, router, scripted agents and the journal on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.api.house import House, house

pytestmark = pytest.mark.anyio
HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "6 by 7?"}]


@asynccontextmanager
async def guest(home: House, token: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{home.url}/v1", api_key=token, max_retries=0) as client:
        yield client


async def test_all_routes_are_served(tmp_path: Path) -> None:
    async with house(tmp_path) as home, guest(home, home.token("app", "talk")) as client:
        assert "teller" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("teller")).id == "teller"
        whole = await client.chat.completions.create(model="teller", messages=HI)
        assert whole.choices[0].message.content == "It is **42**."
        stream = await client.chat.completions.create(model="teller", messages=HI, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        assert text == "It is **42**."
        with pytest.raises(openai.RateLimitError) as busy:
            await client.chat.completions.create(model="busy", messages=HI)
        assert busy.value.code == "insufficient_quota"
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve("resp_x")
        with pytest.raises(openai.BadRequestError):
            await client.embeddings.create(model="teller", input="x")


async def test_a_response_goes_on_from_the_journal(tmp_path: Path) -> None:
    async with house(tmp_path) as home, guest(home, home.token("app", "talk")) as client:
        first = await client.responses.create(model="echo", input="one")
        second = await client.responses.create(model="echo", input="two", previous_response_id=first.id)
        assert second.previous_response_id == first.id
        async with home.client(home.token("boss", "admin")) as boss:
            found = (await boss.get(f"/api/messages/env_{second.id.removeprefix('resp_')}")).json()
        assert found["message"]["from"] == "app"
        async with guest(home, home.token("other", "talk")) as other:
            with pytest.raises(openai.BadRequestError):
                await other.responses.create(model="echo", input="three", previous_response_id=first.id)


async def test_who_may_not_come_in(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        async with guest(home, "cm_wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="echo", messages=HI)
        async with guest(home, home.token("reader", "read")) as client:
            with pytest.raises(openai.PermissionDeniedError):
                await client.chat.completions.create(model="echo", messages=HI)
        async with guest(home, home.token("echo-only", "talk", agents=("echo",))) as client:
            assert [model.id async for model in client.models.list()] == ["echo"]
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(model="teller", messages=HI)


async def test_a_client_that_leaves_ends_the_work(tmp_path: Path) -> None:
    async with house(tmp_path) as home, guest(home, home.token("app", "talk")) as client:
        stream = await client.chat.completions.create(model="slow", messages=HI, stream=True)
        await anext(stream)
        assert home.node.app.engine.under_way == 1
        await stream.close()
        await home.node.app.engine.drained()
