"""Runs turns with nothing but an HTTP protocol on the event loop and a list as history: the least that Python takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from turns import MODEL, QUESTION, Clock, Turn, main

TOOL = {"type": "function", "function": {"name": "clock", "description": "Tell what time it is."}}
encode, decode = msgspec.json.encode, msgspec.json.decode


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    _transport: asyncio.Transport
    _answer: asyncio.Future[bytes]

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    def post(self, request: bytes) -> asyncio.Future[bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's does not say that it is one

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._parser.get_status_code() == 200:
            self._answer.set_result(body)
        else:
            self._answer.set_exception(ValueError(body))


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open nothing: each conversation has a connection of its own."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: ".encode()

    async def turn(number: int) -> object:
        _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        while True:
            body = encode({"model": MODEL, "messages": messages, "tools": [TOOL]})
            answer = decode(await connection.post(b"%b%d\r\n\r\n%b" % (head, len(body), body)))
            message = answer["choices"][0]["message"]
            if not message.get("tool_calls"):
                return message["content"]
            messages.append(message)
            messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": await clock()} for call in message["tool_calls"]
            ]

    yield turn


if __name__ == "__main__":
    main(open_runner)
