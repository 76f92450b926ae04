"""Messages to agents over HTTP."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.api.house import CONFIG, PLAYED, RELAYS, events, house, numbered

pytestmark = pytest.mark.anyio
STREAM = {"accept": "text/event-stream"}


async def test_an_answer_comes_whole(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        answer = await client.post("/api/agents/teller/messages", json={"text": "6 by 7?", "session": "s1"})
        assert answer.status_code == 200
        told = answer.json()
        assert (told["agent"], told["session"], told["text"]) == ("teller", "s1", "It is **42**.")
        assert told["html"] == "<p>It is <strong>42</strong>.</p>\n"
        assert (told["report"]["steps"], told["report"]["tool_calls"]) == (2, 1)

        found = (await client.get(f"/api/messages/{told['id']}")).json()
        assert (found["message"]["state"], found["message"]["from"], found["kin"]) == ("answered", "boss", [])
        session = (await client.get("/api/sessions/teller/s1")).json()
        assert [each["id"] for each in session["messages"]] == [told["id"]]


async def test_an_answer_comes_piece_by_piece(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        post: dict[str, Any] = {"json": {"text": "6 by 7?"}, "headers": STREAM}
        async with client.stream("POST", "/api/agents/teller/messages", **post) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            told = [event async for event in events(answer)]
    names = [name for name, _ in told]
    assert names[0] == "accepted"
    assert names[-1] == "answered"
    assert set(names[1:-1]) == {"piece"}
    kinds = [value["type"] for name, value in told if name == "piece"]
    assert list(dict.fromkeys(kinds)) == ["reasoning", "tool_call", "tool_result", "text"]
    said = "".join(value["text"] for name, value in told if name == "piece" and value["type"] == "text")
    assert said == told[-1][1]["text"] == "It is **42**."
    assert told[0][1]["id"] == told[-1][1]["id"]


async def test_a_failure_is_said_by_its_kind(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        answer = await client.post("/api/agents/busy/messages", json={"text": "hi"})
        assert answer.status_code == 429
        assert (answer.json()["error"]["type"], answer.json()["ending"]) == ("quota", "failed")
        post: dict[str, Any] = {"json": {"text": "hi"}, "headers": STREAM}
        async with client.stream("POST", "/api/agents/busy/messages", **post) as answer:
            told = [event async for event in events(answer)]
        assert [name for name, _ in told] == ["accepted", "failed"]
        assert told[-1][1]["error"]["type"] == "quota"
        answer = await client.post("/api/agents/slow/messages", json={"text": "hi", "seconds": 0.2})
        assert (answer.status_code, answer.json()["error"]["type"]) == (504, "expired")


async def test_one_who_leaves_pays_no_more(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        post: dict[str, Any] = {"json": {"text": "hi"}, "headers": STREAM}
        async with client.stream("POST", "/api/agents/slow/messages", **post) as answer:
            assert (await anext(events(answer)))[0] == "accepted"
            assert home.node.app.engine.under_way == 1
        with anyio.fail_after(10):
            await home.node.app.engine.drained()
        assert home.warnings == []


async def test_the_same_key_is_the_same_message(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        post: dict[str, Any] = {"json": {"text": "hi", "session": "s"}, "headers": {"idempotency-key": "k"}}
        first = await client.post("/api/agents/echo/messages", **post)
        again = await client.post("/api/agents/echo/messages", **post)
        assert first.json()["id"] == again.json()["id"]
        assert first.json()["text"] == again.json()["text"]


async def test_a_message_without_answer_is_accepted(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        answer = await client.post("/api/agents/busy/messages", json={"text": "hi", "wait": False})
        assert answer.status_code == 202
        id = answer.json()["id"]
        await home.node.app.engine.drained()
        (letter,) = (await client.get("/api/dead")).json()["letters"]
        assert (letter["id"], letter["sender"]) == (id, "boss")
        again = (await client.post(f"/api/dead/{id}/redrive")).json()["id"]
        await home.node.app.engine.drained()
        (letter,) = (await client.get("/api/dead")).json()["letters"]
        assert letter["id"] == again
        assert (await client.delete(f"/api/dead/{again}")).json() == {}
        assert (await client.get("/api/dead")).json() == {"letters": []}
        assert (await client.delete(f"/api/dead/{again}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "missing required field `text`"),
        ({"text": 1}, 400, "Expected `str`"),
        ({"text": "a", "command": "ls"}, 400, "unknown field `command`"),
        ({"text": "a", "session": "../../x"}, 400, "is no address"),
        ({"text": "a", "seconds": -1}, 400, "expected seconds above 0"),
        ({"text": "a", "images": [{"data": "%"}]}, 400, "no base64"),
    ],
)
async def test_what_is_no_message_is_said(tmp_path: Path, body: dict[str, Any], status: int, said: str) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        answer = await client.post("/api/agents/echo/messages", json=body)
        assert answer.status_code == status
        assert said in answer.json()["error"]["message"]


async def test_an_image_goes_along(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        picture = {"media_type": "image/png", "data": base64.b64encode(b"png").decode()}
        answer = await client.post("/api/agents/echo/messages", json={"text": "see", "images": [picture]})
        told = (await client.get(f"/api/messages/{answer.json()['id']}")).json()
        assert told["message"]["message"]["parts"][1]["media_type"] == "image/png"


async def test_nobody_sees_what_is_anothers(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        shop, rival = home.token("shop", "talk", "read", agents=("echo",)), home.token("rival", "talk", "read")
        async with (
            home.client(shop) as one,
            home.client(rival) as other,
            home.client(home.token("boss", "admin")) as all_,
        ):
            posted = (await one.post("/api/agents/echo/messages", json={"text": "secret", "session": "s1"})).json()
            assert posted["session"] == "s1"
            assert (await one.get("/api/sessions/echo/s1")).status_code == 200
            assert (await one.get(f"/api/messages/{posted['id']}")).status_code == 200
            for path in (
                f"/api/messages/{posted['id']}",
                "/api/sessions/echo/s1",
                "/api/sessions/echo/shop.s1",
            ):
                answer = await other.get(path)
                assert answer.status_code == 404, path
                assert "secret" not in answer.text
            assert (await other.get("/api/sessions")).json()["sessions"] == []
            assert [each["address"] for each in (await all_.get("/api/sessions")).json()["sessions"]] == [
                "echo/shop.s1"
            ]
            hidden = await one.post("/api/agents/teller/messages", json={"text": "hi"})
            assert (hidden.status_code, hidden.json()["error"]["message"]) == (404, 'there is no agent "teller"')
            known = {agent["name"] for agent in (await one.get("/api/agents")).json()["agents"]}
            assert known == {"echo"}


async def test_a_stream_that_breaks_goes_on_where_it_was(tmp_path: Path) -> None:
    paced = CONFIG.replace("pace = 60", "pace = 0.05")
    async with house(tmp_path, paced) as home, home.client(home.token("shop", "talk")) as client:
        headers = {**STREAM, "idempotency-key": "k1"}
        heard: list[tuple[str, str, Any]] = []
        post: dict[str, Any] = {"json": {"text": "hi"}, "headers": headers}
        async with client.stream("POST", "/api/agents/slow/messages", **post) as answer:
            async for event in numbered(answer):
                heard.append(event)
                if len(heard) == 3:
                    break
        assert home.node.app.engine.under_way == 1  # what has a key goes on
        post["headers"] = {**headers, "last-event-id": heard[-1][0]}
        async with client.stream("POST", "/api/agents/slow/messages", **post) as answer:
            heard += [event async for event in numbered(answer)]
        names = [name for _, name, _ in heard]
        assert names == ["accepted", *["piece"] * (len(names) - 2), "answered"]
        ids = [int(id.partition(".")[2]) for id, _, _ in heard]
        assert ids == [*range(1, len(ids) + 1)]
        said = "".join(value["text"] for _, name, value in heard if name == "piece")
        assert said == heard[-1][2]["text"] == "one two three"

        # Once it has ended, its end is told again, and whoever heard another process hears all of it.
        post["headers"] = {**headers, "last-event-id": heard[-1][0]}
        async with client.stream("POST", "/api/agents/slow/messages", **post) as answer:
            ((id, name, value),) = [event async for event in numbered(answer)]
        assert (name, value["text"]) == ("answered", "one two three")
        assert int(id.partition(".")[2]) == ids[-1] + 1
        post["headers"] = {**headers, "last-event-id": "abc.9"}
        async with client.stream("POST", "/api/agents/slow/messages", **post) as answer:
            told = [(name, value) async for _, name, value in numbered(answer)]
        assert [name for name, _ in told] == ["accepted", "piece", "answered"]
        assert told[1][1]["type"] == "retraction"


async def test_only_what_has_a_key_can_be_heard_on(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("shop", "talk")) as client:
        for headers in ({"last-event-id": "0.1"}, {"last-event-id": "x", "idempotency-key": "k"}):
            answer = await client.post("/api/agents/echo/messages", json={"text": "hi"}, headers={**STREAM, **headers})
            assert answer.status_code == 400


async def test_one_who_leaves_before_a_whole_answer_pays_no_more(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("shop", "talk")) as client:
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                await client.post("/api/agents/slow/messages", json={"text": "hi"})

            tasks.start_soon(ask)
            while not home.node.app.engine.under_way:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(10):
            await home.node.app.engine.drained()
        assert home.warnings == []


async def test_a_key_counts_without_a_session_too(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("shop", "talk")) as client:
        post: dict[str, Any] = {"json": {"text": "hi", "wait": False}, "headers": {"idempotency-key": "k"}}
        first = await client.post("/api/agents/echo/messages", **post)
        again = await client.post("/api/agents/echo/messages", **post)
        assert first.json() == again.json()


async def test_a_large_answer_comes_as_an_event(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("shop", "talk")) as client:
        post: dict[str, Any] = {"json": {"text": "x" * 3_000_000}, "headers": STREAM}
        async with client.stream("POST", "/api/agents/echo/messages", **post) as answer:
            told = [event async for event in events(answer)]
        assert told[-1][0] == "answered"
        assert len(told[-1][1]["text"]) > 3_000_000


async def test_what_other_agents_said_is_not_for_a_token_that_does_not_know_them(tmp_path: Path) -> None:
    async with house(tmp_path, PLAYED + RELAYS) as home:
        shop = home.token("shop", "talk", "read", agents=("boss",))
        async with home.client(shop) as one, home.client(home.token("owner", "admin")) as other:
            id = (await one.post("/api/agents/boss/messages", json={"text": "hi"})).json()["id"]
            assert (await one.get(f"/api/messages/{id}")).json()["kin"] == []
            assert [
                each["to"].partition("/")[0] for each in (await other.get(f"/api/messages/{id}")).json()["kin"]
            ] == ["echo"]
