"""A mesh that serves A2A in this process, and what its clients bring."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from clawmesh.a2a.door import open_a2a
from clawmesh.api.front import open_front
from clawmesh.api.listener import open_listener
from clawmesh.cluster.hold import hold
from clawmesh.cluster.node import Place, open_node
from clawmesh.config.load import parse
from clawmesh.config.location import Places
from tests.api.house import House

CONFIG = """
[api]
port = 0

[a2a]
push_networks = ["127.0.0.0/8"]

[defaults]
backend = "script"

[agents.echo]
model = "echo"
description = "Says again what it hears."

[agents.teller]
model = "teller"
tools = ["calculator"]

[agents.slow]
backend = "slowly"
model = "slow"

[agents.busy]
model = "busy"

[agents.lead]
model = "lead"
peers = ["slow"]

[backends.script]
type = "scripted"
rules = [
    { model = "teller", after = "calculator", say = "It is **{result}**." },
    { model = "teller", think = "I count.", calls = [{ tool = "calculator", arguments = { expression = "6 * 7" } }] },
    { model = "busy", fail = "quota" },
]

[backends.slowly]
type = "scripted"
pace = 60
rules = [{ say = "one two three" }]
"""


@asynccontextmanager
async def house(data: Path, config: str = CONFIG, environ: Mapping[str, str] | None = None) -> AsyncIterator[House]:
    """Open a mesh with agents that play a script, and serve it at any free port."""
    warnings: list[str] = []
    settings = parse(config, environ or {})
    with hold(data, "serve"), open_listener(settings.api, None, None) as listener:
        async with (
            open_node(settings, Places(None, data), environ or {}, warnings.append, Place(lambda: None)) as node,
            open_a2a(node, warnings.append, pauses=(0.05, 0.05)) as agents,
            open_front(node, listener, settings.api, warnings.append, agents) as server,
        ):
            opened = House(node, server, listener.url, data)
            opened.warnings = warnings
            yield opened


def message(text: str, id: str = "m1", **more: Any) -> dict[str, Any]:
    """Return the parameters that send a text."""
    return {"message": {"messageId": id, "role": "ROLE_USER", "parts": [{"text": text}], **more}}


async def rpc(client: httpx2.AsyncClient, agent: str, method: str, params: Any, id: Any = 1) -> Any:
    """Call a method by JSON-RPC and return the whole response."""
    body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    answer = await client.post(f"/a2a/{agent}" if agent else "/a2a", json=body, headers={"a2a-version": "1.0"})
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["jsonrpc"], told["id"]) == ("2.0", id)
    return told


async def events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    """Yield the server-sent events of an answer with their values."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])
            name = ""
