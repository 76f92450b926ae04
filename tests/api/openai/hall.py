"""The API behind the real server on a loopback socket, and OpenAI's own client in front of it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from msgspec import Struct
from openai import AsyncOpenAI

from clawmesh.server.request import Receive, Scope, Send
from clawmesh.server.server import open_server
from tests.api.openai.office import OWNER, Office, office


class Hall(Struct, frozen=True):
    office: Office
    client: AsyncOpenAI
    url: str


class Porter:
    """Stands for the guard and the router."""

    def __init__(self, place: Office) -> None:
        self._office = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"token": OWNER}
        await self._office.row(scope["method"], scope["path"])(scope, receive, send)


@asynccontextmanager
async def hall(*args: Any, **settings: Any) -> AsyncIterator[Hall]:
    """Open what `office` opens, and serve it."""
    faults: list[str] = []
    async with office(*args, **settings) as place:
        sock = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/v1"
        async with (
            open_server(Porter(place), [sock], failed=faults.append),
            AsyncOpenAI(base_url=url, api_key="cm_x", max_retries=0) as client,
        ):
            with anyio.fail_after(20):
                yield Hall(place, client, url)
    assert faults == []
