"""Agents as tools, for clients of both generations, over the real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from clawmesh.config.location import Places
from clawmesh.mesh.address import AGENT
from tests.api.house import CONFIG, House
from tests.mcp.house import begin, legacy, mcp_house, messages, modern, told

pytestmark = pytest.mark.anyio
TALK = {"name": "echo", "arguments": {"message": "hello", "session": "s1"}}
SLOW = {"name": "slow", "arguments": {"message": "go on"}}


async def post(client: httpx2.AsyncClient, message: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request."""
    answer = await client.post("/mcp", **message)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = told(answer)[-1]["result"]
    return result


async def at_work(home: House) -> None:
    """Wait until an agent is at work."""
    with anyio.fail_after(10):
        while not home.node.app.engine.under_way:
            await anyio.lowlevel.checkpoint()


async def test_an_agent_is_a_tool_for_a_client_of_today(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        found = await post(client, modern("server/discover"))
        assert found["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"]
        assert found["capabilities"] == {"tools": {"listChanged": True}, "resources": {}, "completions": {}}
        assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "clawmesh"

        listed = await post(client, modern("tools/list"))
        assert (listed["resultType"], listed["cacheScope"]) == ("complete", "private")
        tools = {tool["name"]: tool for tool in listed["tools"]}
        assert [*tools] == ["busy", "echo", "slow", "teller"]
        assert tools["echo"]["inputSchema"]["required"] == ["message"]
        assert tools["echo"]["annotations"]["destructiveHint"] is False
        assert tools["teller"]["annotations"]["destructiveHint"] is True

        answer = await client.post("/mcp", **modern("tools/call", TALK, id="a"))
        assert answer.headers["content-type"] == "text/event-stream"
        (said,) = told(answer)
        assert (said["id"], said["result"]["isError"]) == ("a", False)
        assert said["result"]["content"] == [{"type": "text", "text": "You said: hello"}]
        structured = said["result"]["structuredContent"]
        assert (structured["text"], structured["session"]) == ("You said: hello", "s1")
        known = (await client.get(f"/api/messages/{structured['id']}")).json()
        assert known["message"]["state"] == "answered"


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
async def test_an_agent_is_a_tool_for_an_older_client(tmp_path: Path, version: str) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        visit = await begin(client, version)
        result = await post(client, legacy("tools/call", TALK, visit=visit, version=version))
        assert result["content"] == [{"type": "text", "text": "You said: hello"}]
        assert "resultType" not in result
        assert await post(client, legacy("ping", visit=visit)) == {}
        assert await post(client, legacy("logging/setLevel", {"level": "info"}, visit=visit)) == {}
        unknown = told(await client.post("/mcp", **legacy("roots/list", visit=visit)))[0]
        assert unknown["error"]["code"] == -32601


async def test_who_wants_another_revision_is_offered_the_newest_of_its_kind(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        result = await post(client, legacy("initialize", {"protocolVersion": "2024-11-05", "capabilities": {}}))
        assert result["protocolVersion"] == "2025-11-25"


async def test_without_a_stream_the_answer_comes_whole(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        message = modern("tools/call", TALK, progressToken=1)
        message["headers"]["accept"] = "application/json"
        answer = await client.post("/mcp", **message)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["result"]["content"] == [{"type": "text", "text": "You said: hello"}]
        message = modern("tools/list")
        message["headers"]["accept"] = "text/event-stream"
        answer = await client.post("/mcp", **message)
        assert answer.headers["content-type"] == "text/event-stream"
        assert len(told(answer)[0]["result"]["tools"]) == 4


async def test_a_failure_is_a_result_that_says_why(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        failed = await post(client, modern("tools/call", {"name": "busy", "arguments": {"message": "hi"}}))
        assert failed["isError"] is True
        assert failed["structuredContent"]["error"] == "quota"
        assert failed["structuredContent"]["text"] == failed["content"][0]["text"]
        for arguments, reason in (
            ({}, "`message`"),
            ({"message": 1}, "Expected `str`"),
            ({"message": "hi", "command": "ls"}, "unknown field `command`"),
            ({"message": "hi", "session": "../../x"}, "is no address"),
            ([], "Expected `object`"),
        ):
            failed = await post(client, modern("tools/call", {"name": "echo", "arguments": arguments}))
            assert failed["isError"] is True
            assert reason in failed["content"][0]["text"]


async def test_progress_tells_how_the_work_goes_on(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        call = {"name": "teller", "arguments": {"message": "6 by 7?"}}
        *notes, last = told(await client.post("/mcp", **modern("tools/call", call, progressToken="p")))
        assert last["result"]["content"] == [{"type": "text", "text": "It is **42**."}]
        assert {note["method"] for note in notes} == {"notifications/progress"}
        assert {note["params"]["progressToken"] for note in notes} == {"p"}
        measures = [note["params"]["progress"] for note in notes]
        assert measures == sorted({*measures})
        words = "".join(note["params"].get("message", "") for note in notes)
        assert "I count." in words
        assert "[calls calculator]" in words
        assert words.endswith("It is **42**.")


async def test_who_leaves_pays_no_more(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        for message in (modern("tools/call", SLOW), legacy("tools/call", SLOW, visit=await begin(client))):
            async with client.stream("POST", "/mcp", **message) as answer:
                assert answer.status_code == 200
                await at_work(home)
            with anyio.fail_after(10):
                await home.node.app.engine.drained()
        assert home.warnings == []


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
async def test_a_call_can_be_taken_back(tmp_path: Path, accept: str) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        visit = await begin(client)
        said: list[httpx2.Response] = []

        async def call() -> None:
            message = legacy("tools/call", SLOW, id="slow", visit=visit)
            message["headers"]["accept"] = accept
            said.append(await client.post("/mcp", **message))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await at_work(home)
            again = await client.post("/mcp", **legacy("tools/call", SLOW, id="slow", visit=visit))
            assert told(again)[0]["error"]["code"] == -32600
            for other in ({"requestId": "other"}, {"requestId": [1]}, {}):
                note = legacy("notifications/cancelled", other, id=None, visit=visit)
                assert (await client.post("/mcp", **note)).status_code == 202
            foreign = legacy("notifications/cancelled", {"requestId": "slow"}, id=None, visit=await begin(client))
            assert (await client.post("/mcp", **foreign)).status_code == 202
            assert home.node.app.engine.under_way == 1
            note = legacy("notifications/cancelled", {"requestId": "slow"}, id=None, visit=visit)
            assert (await client.post("/mcp", **note)).status_code == 202
        assert said[0].content == b""
        with anyio.fail_after(10):
            await home.node.app.engine.drained()


async def test_the_end_of_a_visit_ends_its_calls(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        visit = await begin(client)
        async with client.stream("POST", "/mcp", **legacy("tools/call", SLOW, visit=visit)) as answer:
            await at_work(home)
            assert (await client.delete("/mcp", headers={"mcp-session-id": visit})).status_code == 204
            assert [message async for message in messages(answer)] == []
        with anyio.fail_after(10):
            await home.node.app.engine.drained()
        assert (await client.post("/mcp", **legacy("ping", visit=visit))).status_code == 404
        assert (await client.delete("/mcp", headers={"mcp-session-id": visit})).status_code == 404


async def test_a_revoked_token_ends_its_calls(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("shop", "talk")) as client:
        with anyio.fail_after(10):
            async with client.stream("POST", "/mcp", **modern("tools/call", SLOW)) as answer:
                await at_work(home)
                home.tokens.revoke("shop")
                with pytest.raises(httpx2.RemoteProtocolError):
                    await answer.aread()
        with anyio.fail_after(10):
            await home.node.app.engine.drained()


async def test_a_subscription_tells_of_new_tools(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text(CONFIG)
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        wanted = {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}
        async with client.stream("POST", "/mcp", **modern("subscriptions/listen", wanted, id="sub")) as answer:
            heard = messages(answer)
            first = await anext(heard)
            assert first["method"] == "notifications/subscriptions/acknowledged"
            assert first["params"]["notifications"] == {"toolsListChanged": True}
            app = home.node.app
            app.places = Places(file, tmp_path)
            app.adopt(await app.prepare())
            with anyio.fail_after(10):
                change = await anext(heard)
            assert change["method"] == "notifications/tools/list_changed"
            assert change["params"]["_meta"] == first["params"]["_meta"]
            assert change["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "sub"}


async def test_tools_come_page_by_page(tmp_path: Path) -> None:
    names = [f"a{number:04}" for number in range(1100)]
    agents = "".join(f'[agents.{name}]\nbackend = "script"\nmodel = "m"\n' for name in names)
    config = f'[api]\nport = 0\n[backends.script]\ntype = "scripted"\n{agents}'
    async with mcp_house(tmp_path, config) as home, home.client(home.token("boss", "talk")) as client:
        listed: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(3):
            page = await post(client, modern("tools/list", cursor))
            listed += [tool["name"] for tool in page["tools"]]
            cursor = {"cursor": page.get("nextCursor", "")}
        assert "nextCursor" not in page
        assert listed == names
        assert all(AGENT.fullmatch(name) for name in listed)
        for wrong in ("%%%", "_w=="):
            answer = await client.post("/mcp", **modern("tools/list", {"cursor": wrong}))
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


async def test_scopes_say_what_is_there(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home:
        async with home.client(home.token("reader", "read")) as client:
            answer = await client.post("/mcp", **modern("tools/call", TALK))
            assert answer.status_code == 403
            assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="talk"'
            assert answer.json()["error"]["data"] == {"scope": "talk"}
            visit = await begin(client)
            assert (await client.post("/mcp", **legacy("tools/call", TALK, visit=visit))).status_code == 403
        async with home.client(home.token("talker", "talk", agents=("echo",))) as client:
            assert "resources" not in (await post(client, modern("server/discover")))["capabilities"]
            for method in ("resources/list", "resources/templates/list"):
                assert (await client.post("/mcp", **modern(method))).status_code == 403
            listed = await post(client, modern("tools/list"))
            assert [tool["name"] for tool in listed["tools"]] == ["echo"]
            answer = await client.post("/mcp", **modern("tools/call", {"name": "teller", "arguments": {}}))
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


async def test_only_agents_written_as_code_need_no_words(tmp_path: Path) -> None:
    plugin = Path(__file__).parent / "plugins" / "conformance.py"
    config = '[api]\nport = 0\n[agents.plain]\ntype = "simple"\n[agents.dot]\ntype = "picture"\n'
    async with mcp_house(tmp_path, config, plugin) as home, home.client(home.token("boss", "talk")) as client:
        listed = await post(client, modern("tools/list"))
        assert all("required" not in tool["inputSchema"] for tool in listed["tools"])
        result = await post(client, modern("tools/call", {"name": "plain"}))
        assert result["content"][0]["text"].startswith("This is a simple text")
        (picture,) = (await post(client, modern("tools/call", {"name": "dot"})))["content"]
        assert (picture["type"], picture["mimeType"]) == ("image", "image/png")
        assert json.dumps(picture)
