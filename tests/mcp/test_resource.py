"""Sessions as resources, each token's own alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from clawmesh.mesh.address import Address
from clawmesh.messages import Message
from tests.mcp.house import begin, legacy, mcp_house, modern, told

pytestmark = pytest.mark.anyio
TEMPLATE = "clawmesh://sessions/{agent}/{session}"


async def say(client: httpx2.AsyncClient, agent: str, text: str, session: str) -> None:
    call = {"name": agent, "arguments": {"message": text, "session": session}}
    assert (await client.post("/mcp", **modern("tools/call", call))).status_code == 200


async def ask(client: httpx2.AsyncClient, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    (said,) = told(await client.post("/mcp", **modern(method, params)))
    return said


async def test_a_session_is_read_as_a_transcript(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("shop", "talk", "read")) as client:
        await say(client, "echo", "good morning", "s1")
        await say(client, "echo", "good night", "s1")
        await say(client, "busy", "hello?", "s2")
        listed = (await ask(client, "resources/list"))["result"]
        uris = [resource["uri"] for resource in listed["resources"]]
        assert uris == ["clawmesh://sessions/busy/s2", "clawmesh://sessions/echo/s1"]
        assert listed["resources"][1]["annotations"]["lastModified"].endswith("Z")
        read = (await ask(client, "resources/read", {"uri": uris[1]}))["result"]
        (content,) = read["contents"]
        assert (content["uri"], content["mimeType"], read["ttlMs"]) == (uris[1], "text/plain", 0)
        turns = [
            "shop:\ngood morning\n",
            "echo:\nYou said: good morning\n",
            "shop:\ngood night\n",
            "echo:\nYou said: good night\n",
        ]
        assert content["text"] == "\n".join(turns)
        (content,) = (await ask(client, "resources/read", {"uri": uris[0]}))["result"]["contents"]
        assert "busy:\n[failed: " in content["text"]


async def test_nobody_sees_what_is_anothers(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home:
        shop, rival = home.token("shop", "talk", "read"), home.token("rival", "talk", "read")
        async with home.client(shop) as one, home.client(rival) as other:
            await say(one, "echo", "a secret", "s1")
            assert (await ask(other, "resources/list"))["result"]["resources"] == []
            for uri in (
                "clawmesh://sessions/echo/s1",
                "clawmesh://sessions/echo/shop.s1",
                "clawmesh://sessions/echo/../echo/shop.s1",
                "clawmesh://sessions/echo/%2e%2e",
                "file:///etc/passwd",
                "",
            ):
                answer = await other.post("/mcp", **modern("resources/read", {"uri": uri}))
                assert answer.status_code == 400, uri
                assert answer.json()["error"] == {
                    "code": -32602,
                    "message": "there is no such resource",
                    "data": {"uri": uri},
                }
            ref, context = {"type": "ref/resource", "uri": TEMPLATE}, {"arguments": {"agent": "echo"}}
            complete = {"ref": ref, "argument": {"name": "session", "value": ""}, "context": context}
            assert (await ask(other, "completion/complete", complete))["result"]["completion"]["values"] == []
            assert (await ask(one, "completion/complete", complete))["result"]["completion"]["values"] == ["s1"]
            visit = await begin(other)
            gone = legacy("resources/read", {"uri": "clawmesh://sessions/echo/s1"}, visit=visit)
            answer = await other.post("/mcp", **gone)
            assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32002)


async def test_names_are_completed(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("shop", "talk", "read")) as client:
        (template,) = (await ask(client, "resources/templates/list"))["result"]["resourceTemplates"]
        assert template["uriTemplate"] == TEMPLATE
        ref = {"type": "ref/resource", "uri": TEMPLATE}
        found = await ask(client, "completion/complete", {"ref": ref, "argument": {"name": "agent", "value": "t"}})
        assert found["result"]["completion"] == {"values": ["teller"], "total": 1, "hasMore": False}
        for name, value in (("session", ""), ("else", "")):
            said = await ask(client, "completion/complete", {"ref": ref, "argument": {"name": name, "value": value}})
            assert said["result"]["completion"]["values"] == []
        ref = {"type": "ref/prompt", "name": "x"}
        said = await ask(client, "completion/complete", {"ref": ref, "argument": {"name": "agent", "value": ""}})
        assert said["error"]["code"] == -32602


async def test_sessions_come_page_by_page(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        names = [f"n{number:03}" for number in range(230)]
        engine = home.node.app.engine
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(partial(engine.send, Address("echo", name), Message.user("x"), sender="boss"))
        await engine.drained()
        page = (await ask(client, "resources/list"))["result"]
        assert len(page["resources"]) == 200
        rest = (await ask(client, "resources/list", {"cursor": page["nextCursor"]}))["result"]
        assert "nextCursor" not in rest
        found = [resource["name"] for resource in [*page["resources"], *rest["resources"]]]
        assert found == [f"echo/{name}" for name in names]
        ref, context = {"type": "ref/resource", "uri": TEMPLATE}, {"arguments": {"agent": "echo"}}
        wanted = {"ref": ref, "argument": {"name": "session", "value": "n"}, "context": context}
        completion = (await ask(client, "completion/complete", wanted))["result"]["completion"]
        assert (len(completion["values"]), completion["total"], completion["hasMore"]) == (100, 230, True)
