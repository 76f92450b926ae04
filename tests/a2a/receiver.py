"""A webhook that notes what it is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc


class Receiver:
    """Answers requests with `statuses`, the last of them again and again, and notes headers and bodies."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self._statuses = [*statuses]
        self.url = ""
        self.heard: list[tuple[dict[str, str], Any]] = []
        self._news = anyio.Event()

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    try:
                        data += await stream.receive()
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        return
                head, _, data = data.partition(b"\r\n\r\n")
                lines = head.decode().split("\r\n")[1:]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                size = int(headers["content-length"])
                while len(data) < size:
                    data += await stream.receive()
                body, data = data[:size], data[size:]
                self.heard.append((headers, json.loads(body)))
                status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
                await stream.send(b"HTTP/1.1 %d x\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n" % status)
                self._news.set()

    async def wait(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.heard) < count:
            self._news = anyio.Event()
            await self._news.wait()


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[Receiver]:
    made = Receiver(statuses or (204,))
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        made.url = f"http://127.0.0.1:{port}/hook"
        tasks.start_soon(listener.serve, made.serve)
        yield made
        tasks.cancel_scope.cancel()
