"""Two houses: an agent in one asks an agent in the other, as its peer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.a2a.house import events, house, message
from tests.api.house import House

pytestmark = pytest.mark.anyio
NEAR = """
[api]
port = 0

[backends.script]
type = "scripted"
rules = [
    {{ model = "lead", after = "ask_agent", say = "They say: {{result}}" }},
    {{ model = "lead", calls = [{{ tool = "ask_agent", arguments = {{ agent = "far", message = "6 by 7?" }} }}] }},
]

[agents.lead]
model = "lead"
peers = ["far"]

[agents.far]
type = "a2a"
url = "{url}"
token = {{ env = "FAR_TOKEN" }}
{more}
"""


@asynccontextmanager
async def houses(path: Path, agent: str, *, whole: bool = False, token: str = "") -> AsyncIterator[tuple[House, House]]:
    """Open two, the first of which knows an agent of the second: by its own card, or by the one of the whole server."""
    async with house(path / "far") as there:
        url, more = (there.url, f'tenant = "{agent}"') if whole else (f"{there.url}/a2a/{agent}", "")
        environ = {"FAR_TOKEN": token or there.token("near", "talk")}
        async with house(path / "near", NEAR.format(url=url, more=more), environ) as here:
            yield here, there


@pytest.mark.parametrize("whole", [False, True])
async def test_a_peer_elsewhere_answers_in_pieces(tmp_path: Path, whole: bool) -> None:
    async with houses(tmp_path, "teller", whole=whole) as (here, there):
        async with here.client(here.token("boss", "admin"), **{"a2a-version": "1.0"}) as client:
            post: dict[str, Any] = {"json": {"text": "go"}}
            told = (await client.post("/api/agents/lead/messages", **post)).json()
            assert told["text"] == "They say: It is **42**."
            async with client.stream("POST", "/a2a/far/message:stream", json=message("6 by 7?")) as answer:
                heard = [value async for _, value in events(answer)]
        pieces = [each["artifactUpdate"] for each in heard if "artifactUpdate" in each]
        assert len(pieces) > 2
        assert heard[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        assert there.node.app.engine.under_way == 0


async def test_a_conversation_stays_one_also_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path / "far") as there:
        config = NEAR.format(url=f"{there.url}/a2a/echo", more="")
        environ = {"FAR_TOKEN": there.token("near", "talk", "read")}
        for number in range(2):
            near = house(tmp_path / "near", config, environ)
            async with near as here, here.client(here.token(f"boss{number}", "admin")) as client:
                for text in ("one", "two"):
                    body = {"text": text, "session": "s"}
                    told = (await client.post("/api/agents/far/messages", json=body)).json()
                    assert told["text"] == f"You said: {text}"
        async with there.client(there.token("boss", "admin")) as client:
            (session,) = (await client.get("/api/sessions")).json()["sessions"]
            told = (await client.get(f"/api/sessions/{session['address']}")).json()
            assert [each["text"] for each in told["messages"]] == ["one", "two", "one", "two"]


async def test_one_who_waits_no_more_cancels_it_elsewhere(tmp_path: Path) -> None:
    async with houses(tmp_path, "slow") as (here, there):
        async with here.client(here.token("boss", "admin")) as client:
            answer = await client.post("/api/agents/far/messages", json={"text": "hi", "seconds": 1.5})
            assert answer.status_code == 504
            with anyio.fail_after(10):
                await there.node.app.engine.drained()
        async with there.client(there.token("boss", "admin"), **{"a2a-version": "1.0"}) as client:
            (task,) = (await client.get("/a2a/slow/tasks")).json()["tasks"]
            assert task["status"]["state"] == "TASK_STATE_CANCELED"


@pytest.mark.parametrize(
    ("agent", "token", "kind"),
    [("busy", "", "failed"), ("echo", "cm_wrong", "refused"), ("nobody", "", "unknown")],
)
async def test_what_goes_wrong_elsewhere_is_told_by_its_kind(tmp_path: Path, agent: str, token: str, kind: str) -> None:
    opened = houses(tmp_path, agent, token=token)
    async with opened as (here, _), here.client(here.token("boss", "admin")) as client:
        told = (await client.post("/api/agents/far/messages", json={"text": "hi"})).json()
        assert told["error"]["type"] == kind
