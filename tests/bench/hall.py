"""A server of ours with an application that answers as the bench expects, for its clients to be tried on."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawmesh.bench.door import Door
from clawmesh.server.limits import Patience
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.server.server import PATIENCE, open_server

FAILING = "/failing"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Say the moment in pieces, again and again; or flood; or answer at once, or with an error."""
    while (event := await receive())["type"] == "http.request" and event["more_body"]:
        pass
    if scope["path"] == FAILING:
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
    elif "ticker" in scope["path"]:
        await send({"type": "http.response.start", "status": 200})
        for _ in range(1000):
            data = b'data: {"type":"text","text":"%d"}\n\n' % time.monotonic_ns()
            await send({"type": "http.response.body", "body": data, "more_body": True})
            await asyncio.sleep(0.01)
    elif "flood" in scope["path"]:
        await send({"type": "http.response.start", "status": 200})
        for _ in range(60):
            await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def opened(patience: Patience = PATIENCE) -> AsyncIterator[Door]:
    """Serve in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with open_server(application, [listener], failed=lambda text: None, patience=patience):
            yield Door(listener.getsockname()[1], os.getpid())
