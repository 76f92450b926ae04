"""The HTTP client of all frameworks, which build on the OpenAI SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient


@asynccontextmanager
async def open_http() -> AsyncIterator[httpx2.AsyncClient]:
    """Open the SDK's HTTP client, tuned for many requests at once.

    Over aiohttp, because httpx2's own pool looks through all of its connections at each request: 10,000 turns of the
    SDK alone take 3.6 ms each this way, and 17 ms with httpx2's pool at its best. As many connections as there are
    requests, and ten minutes for each step of one, since the SDK's five seconds for connecting fail half of them.
    """
    async with DefaultAioHttpClient(limits=httpx2.Limits(max_connections=0), timeout=600) as client:
        yield client


@asynccontextmanager
async def open_sdk(url: str) -> AsyncIterator[AsyncOpenAI]:
    """Open the SDK, without second tries that would hide a failure."""
    async with open_http() as client:
        yield AsyncOpenAI(base_url=url, api_key="none", http_client=client, max_retries=0, timeout=600)
