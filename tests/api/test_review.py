"""What a hostile review found at the doors; each test fails until it is mended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from clawmesh import runtime
from clawmesh.api.markup import CHARACTERS, to_html
from clawmesh.errors import ConfigError
from clawmesh.config.load import parse
from tests.api.house import events, house

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("query", ["limit=000000001999999", "limit=000000001" + "9" * 5000])
async def test_a_number_with_zeros_before_it_is_bounded_too(tmp_path: Path, query: str) -> None:
    async with house(tmp_path) as opened, opened.client(opened.token("a", "read")) as client:
        assert (await client.get(f"/api/sessions?{query}")).status_code == 400


async def test_a_key_works_without_a_session_too(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        async with opened.client(opened.token("a", "talk"), **{"idempotency-key": "k"}) as client:
            body = {"text": "hello", "wait": False}
            ids = [(await client.post("/api/agents/echo/messages", json=body)).json()["id"] for _ in range(2)]
            assert ids[0] == ids[1]


async def test_a_large_answer_comes_as_an_event(tmp_path: Path) -> None:
    async with house(tmp_path) as opened, opened.client(opened.token("a", "talk")) as client:
        posting = client.stream(
            "POST", "/api/agents/echo/messages", json={"text": "x" * 2_000_000}, headers={"accept": "text/event-stream"}
        )
        async with posting as response:
            assert [name async for name, _ in events(response)][-1] == "answered"


async def test_figures_of_all_agents_are_not_for_a_confined_token(tmp_path: Path) -> None:
    async with house(tmp_path) as opened:
        async with opened.client(opened.token("owner", "admin")) as client:
            await client.post("/api/agents/teller/messages", json={"text": "hello"})
        async with opened.client(opened.token("a", "read", agents=("echo",))) as client:
            assert "teller" not in (await client.get("/metrics")).text


def test_no_markdown_holds_the_loop_for_long() -> None:
    begin = time.perf_counter()
    to_html("[" * CHARACTERS)
    assert time.perf_counter() - begin < 0.3


def test_a_number_too_long_for_python_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        parse("a = " + "9" * 5000, {})


def test_memory_is_told_without_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("builtins.open", no_more)
    assert runtime.resident() >= 0
