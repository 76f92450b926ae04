"""A mesh whose agents are tools of the Model Context Protocol, and what clients say to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from clawmesh.mcp.door import routes
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.source import Source, read
from clawmesh.plugin.trust import Trust
from tests.api.house import CONFIG, House, house

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}
BOTH = {"accept": "application/json, text/event-stream"}
NAMED = {"tools/call": "name", "resources/read": "uri"}


@asynccontextmanager
async def mcp_house(data: Path, config: str = CONFIG, plugin: Path | None = None) -> AsyncIterator[House]:
    """Open the mesh; a plugin is one that the operator trusts."""
    if plugin is not None:
        trust(data, plugin)
        config += f'\n[plugins]\nfolder = "{plugin.parent}"\n'
    async with house(data, config, routes) as home:
        yield home


def trust(data: Path, plugin: Path) -> None:
    """Let the operator trust a plugin."""
    source = Source.at(plugin)
    data.mkdir(mode=0o700, exist_ok=True)
    Trust.open(Folders.of(data, None, plugin.parent).trust).add(source, read(source))


def modern(method: str, params: Mapping[str, Any] | None = None, *, id: Any = 1, **meta: Any) -> dict[str, Any]:
    """Return what a client since 2026-07-28 posts: the body, and the headers that repeat it."""
    params = {**(params or {}), "_meta": {**META, **meta}}
    named = {"mcp-name": params[NAMED[method]]} if method in NAMED else {}
    headers = {**BOTH, "mcp-protocol-version": "2026-07-28", "mcp-method": method, **named}
    return {"json": {"jsonrpc": "2.0", "id": id, "method": method, "params": params}, "headers": headers}


def legacy(
    method: str, params: Mapping[str, Any] | None = None, *, id: Any = 1, visit: str = "", version: str = "2025-11-25"
) -> dict[str, Any]:
    """Return what a client up to 2025-11-25 posts; without an id it is a notification."""
    named = {"mcp-session-id": visit} if visit else {}
    body = {"jsonrpc": "2.0", "method": method, **({} if id is None else {"id": id})}
    if params is not None:
        body["params"] = params
    return {"json": body, "headers": {**BOTH, "mcp-protocol-version": version, **named}}


async def begin(client: httpx2.AsyncClient, version: str = "2025-11-25") -> str:
    """Shake hands; return the id of the visit."""
    wanted = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    answer = await client.post("/mcp", **legacy("initialize", wanted))
    visit = str(answer.headers["mcp-session-id"])
    assert (await client.post("/mcp", **legacy("notifications/initialized", id=None, visit=visit))).status_code == 202
    return visit


def told(answer: httpx2.Response) -> Sequence[dict[str, Any]]:
    """Return the messages of an answer, whichever way they came."""
    if answer.headers["content-type"] == "application/json":
        return [answer.json()]
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


async def messages(answer: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the messages of an answer as they come."""
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line[6:])
