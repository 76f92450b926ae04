"""Streams many answers at once from the mock provider, with aiohttp, and prints what that cost.

`python streams_aiohttp.py URL STREAMS CHUNKS MILLIS ROUNDS [CA_FILE]` runs one load, as the bench's own client does.
"""

from __future__ import annotations

import ssl
import sys

import aiohttp

from clawmesh.bench.streams import Figures, Hear, Load, Streamer, decode, main, warmed
from clawmesh.errors import ReplyError, TruncatedReplyError


def streamer(session: aiohttp.ClientSession, url: str) -> Streamer:
    """Return a streamer over aiohttp, with the same decoding as beside it."""

    async def stream(model: str, hear: Hear) -> None:
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        try:
            async with session.post(f"{url}/chat/completions", json=body) as response:
                await read(response, hear)
        except aiohttp.ClientError as error:
            raise ReplyError(str(error)) from error

    return stream


async def read(response: aiohttp.ClientResponse, hear: Hear) -> None:
    if response.status != 200:
        raise ReplyError(f"the provider answered {response.status}")
    done = False
    async for line in response.content:
        if not line.startswith(b"data: "):
            continue
        data = line[6:-1]
        if data == b"[DONE]":
            done = True
        elif text := decode(data).choices[0].delta.content:
            hear(text)
    if not done:
        raise TruncatedReplyError("the stream ended without [DONE]")


async def run(url: str, load: Load, ca_file: str) -> Figures:
    """Warm up with one request, then run a load."""
    context = ssl.create_default_context(cafile=ca_file) if ca_file else True
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        return await warmed(load, streamer(session, url))


if __name__ == "__main__":
    main(sys.argv[1:], run)
