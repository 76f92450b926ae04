"""What operators see and do over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.api.house import CONFIG, PLAYED, RELAYS, events, house

pytestmark = pytest.mark.anyio
SECRET = "sk-canary-1234567890"


async def test_the_status_tells_operators_how_each_worker_fares(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "operate")) as client:
        told = (await client.get("/api/status")).json()
        assert told["token"] == {"name": "boss", "scopes": ["operate"], "agents": []}
        assert (told["ready"], told["reasons"]) == (True, [])
        (worker,) = told["workers"]
        assert (worker["worker"], worker["under_way"], worker["trouble"]) == (0, 0, "")
        assert worker["rss"] > 10_000_000


async def test_a_mesh_that_takes_nothing_is_not_ready_and_says_why_to_operators(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        home.node.app.engine.gate.hold("test", "the disk is full")
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "not ready"})
        told = (await client.get("/api/status")).json()
        assert (told["ready"], told["reasons"]) == (False, ["worker 0: the disk is full"])
        posted = await client.post("/api/agents/echo/messages", json={"text": "hi"})
        assert (posted.status_code, posted.json()["error"]["type"]) == (503, "busy")
        assert posted.headers["retry-after"] == "1"
        assert (await client.get("/healthz")).status_code == 200


async def test_who_talks_to_whom_is_told_while_somebody_looks(tmp_path: Path) -> None:
    async with house(tmp_path, PLAYED + RELAYS) as home, home.client(home.token("owner", "operate", "talk")) as client:
        assert (await client.get("/api/graph")).json()["links"] == []
        async with client.stream("GET", "/api/events") as answer:
            told = events(answer)
            async with home.client(home.token("shop", "talk")) as other:
                await home.node.query("news", 0, since=0)
                await other.post("/api/agents/boss/messages", json={"text": "hi", "session": "s"})
            seen: list[Any] = []
            async for name, batch in told:
                assert name == "events"
                seen += batch
                if sum(each["t"] == "ended" for each in seen) == 2:
                    break
        lines = [(each["t"], each.get("from"), each["to"], each.get("ending")) for each in seen]
        assert lines == [
            ("accepted", "shop", "boss/shop.s", None),
            ("accepted", "boss/shop.s", "echo/boss~shop.s", None),
            ("ended", None, "echo/boss~shop.s", "answered"),
            ("ended", None, "boss/shop.s", "answered"),
        ]
        graph = (await client.get("/api/graph")).json()
        links = {(link["from"], link["to"]): (link["messages"], link["errors"]) for link in graph["links"]}
        assert links == {("shop", "boss"): (1, 0), ("boss", "echo"): (1, 0)}
        assert {agent["name"]: agent["messages"] for agent in graph["agents"]}["echo"] == 1


async def test_tokens_are_counted_by_agent_and_day(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        for _ in range(2):
            report = (await client.post("/api/agents/teller/messages", json={"text": "hi"})).json()["report"]
        (day,) = (await client.get("/api/cost")).json()["days"]
        (row,) = day["agents"]
        assert (row["agent"], row["turns"]) == ("teller", 2)
        assert row["total_tokens"] == 2 * report["usage"]["total_tokens"]
        assert (await client.get("/api/cost?days=0")).status_code == 400


async def test_no_secret_leaves_with_the_configuration(tmp_path: Path) -> None:
    config = CONFIG + '[backends.real]\ntype = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    config += f'api_key = {{ file = "{tmp_path / "key"}" }}\n'
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "key").chmod(0o600)
    async with house(tmp_path / "data", config) as home, home.client(home.token("boss", "admin")) as client:
        told = (await client.get("/api/config")).json()["toml"]
        assert "[backends.real]" in told
        for path in ("config", "status", "agents", "sessions", "graph", "dead", "cost"):
            assert SECRET not in (await client.get(f"/api/{path}")).text


async def test_the_figures_are_what_happened_and_sound(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        await client.post("/api/agents/teller/messages", json={"text": "hi"})
        await client.post("/api/agents/busy/messages", json={"text": "hi"})
        async with home.client(home.token("shop", "read")) as other:
            assert (await other.get("/metrics")).status_code == 403
        answer = await client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.text.splitlines()
        assert 'clawmesh_outcomes_total{agent="teller",ending="answered"} 1.0' in lines
        assert 'clawmesh_outcomes_total{agent="busy",ending="failed"} 1.0' in lines
        assert 'clawmesh_messages_total{kind="ask"} 2.0' in lines
    if promtool := shutil.which("promtool"):
        checked = await anyio.run_process([promtool, "check", "metrics"], input=answer.content, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


async def test_sessions_come_page_by_page(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        for number in range(5):
            await client.post("/api/agents/echo/messages", json={"text": "hi", "session": f"s{number}"})
        await client.post("/api/agents/teller/messages", json={"text": "hi", "session": "s"})
        found: list[str] = []
        after = ""
        while after is not None:
            page = (await client.get("/api/sessions", params={"agent": "echo", "limit": 2, "after": after})).json()
            assert len(page["sessions"]) <= 2
            found += [each["session"] for each in page["sessions"]]
            after = page["next"]
        assert found == [f"s{number}" for number in range(5)]
        for limit in ("5000", "0", "-1", "000000001999999", "1" * 5000):
            wrong = await client.get(f"/api/sessions?limit={limit}")
            assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "limit")
        assert (await client.get("/api/sessions/echo/none")).status_code == 404
        assert (await client.get("/api/agents/none")).status_code == 404
        assert (await client.get("/api/messages/env_none")).status_code == 404
