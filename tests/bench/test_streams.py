"""What a load reports."""

from __future__ import annotations

import time

import pytest

from clawmesh.bench.provider import serve
from clawmesh.bench.streams import Hear, Load, measure, plain
from clawmesh.errors import ConnectionLostError, ReplyError
from clawmesh.http.transport import open_transport

pytestmark = pytest.mark.anyio


async def test_every_chunk_of_every_stream_is_heard() -> None:
    async with serve() as port, open_transport() as transport:
        figures = await measure(Load(20, 5, 2, rounds=3), plain(transport, f"http://127.0.0.1:{port}/v1"))
    assert (figures.requests, figures.failures, figures.chunks) == (60, 0, 300)
    assert 0 < figures.lag_p50_ms <= figures.lag_p99_ms
    assert figures.cpu_seconds > 0


async def test_failures_are_counted() -> None:
    left = 3

    async def stream(model: str, hear: Hear) -> None:
        nonlocal left
        hear(str(time.monotonic_ns()))
        left -= 1
        if left < 0:
            raise ConnectionLostError("gone")

    figures = await measure(Load(5, 1, 0, rounds=2), stream)
    assert (figures.requests, figures.failures, figures.chunks) == (10, 7, 10)


async def test_refusal_is_a_failure() -> None:
    async with serve() as port, open_transport() as transport:
        stream = plain(transport, f"http://127.0.0.1:{port}/v1")
        with pytest.raises(ReplyError, match="404"):
            await stream("unknown", str)
