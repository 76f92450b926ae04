"""A mesh that serves over HTTP, in this process, and clients of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
from starlette.routing import BaseRoute

from clawmesh.api.front import open_front
from clawmesh.api.listener import open_listener
from clawmesh.api.mesh import Mesh
from clawmesh.api.token import Tokens
from clawmesh.cluster.hold import hold
from clawmesh.cluster.node import Node, Place, open_node
from clawmesh.config.load import parse
from clawmesh.config.location import Places
from clawmesh.server.server import Server

CONFIG = """
[api]
port = 0

[defaults]
backend = "script"

[agents.echo]
model = "echo"

[agents.teller]
model = "teller"
tools = ["calculator"]

[agents.slow]
backend = "slowly"
model = "slow"

[agents.busy]
model = "busy"

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

RELAYS = """
[agents.boss]
model = "boss"
peers = ["echo", "busy"]
"""
PLAYED = CONFIG.replace(
    "rules = [\n",
    "rules = [\n"
    '    { model = "boss", after = "ask_agent", say = "so" },\n'
    '    { model = "boss", calls = [{ tool = "ask_agent", arguments = { agent = "echo", message = "hi" } }] },\n',
    1,
)


Doors: TypeAlias = Callable[[Mesh], Iterable[BaseRoute]]


class House:
    """What stands behind the door, and how to knock."""

    def __init__(self, node: Node, server: Server, url: str, data: Path) -> None:
        self.node = node
        self.server = server
        self.url = url
        self.tokens = Tokens(data)
        self.warnings: list[str] = []

    def token(self, name: str, *scopes: str, agents: tuple[str, ...] = (), expires: float | None = None) -> str:
        return self.tokens.create(name, scopes, agents, self.node.app.engine.clock.now(), expires)

    @asynccontextmanager
    async def client(self, token: str = "", **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        if token:
            headers["authorization"] = f"Bearer {token}"
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=20) as client:
            yield client


@asynccontextmanager
async def house(data: Path, config: str = CONFIG, doors: Doors = lambda _: ()) -> AsyncIterator[House]:
    """Open a mesh with agents that play a script, and serve it at any free port, with other doors too."""
    warnings: list[str] = []
    settings = parse(config, {})
    with hold(data, "serve"), open_listener(settings.api, None, None) as listener:
        async with (
            open_node(settings, Places(None, data), {}, warnings.append, Place(lambda: None)) as node,
            open_front(node, listener, settings.api, warnings.append, doors(Mesh(node))) as server,
        ):
            opened = House(node, server, listener.url, data)
            opened.warnings = warnings
            yield opened


async def numbered(response: httpx2.Response) -> AsyncIterator[tuple[str, str, Any]]:
    """Yield the server-sent events of an answer: their ids, names and values."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


async def events(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    """Yield the server-sent events of an answer: their names and values."""
    async for _, name, value in numbered(response):
        yield name, value
