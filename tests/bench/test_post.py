"""Requests over connections that stay open."""

from __future__ import annotations

import pytest

from clawmesh.bench.post import Queue, asked, asking
from tests.bench.hall import FAILING, opened

pytestmark = pytest.mark.anyio


async def test_everything_is_asked() -> None:
    async with opened() as door:
        queue = Queue(asking(door), 100)
        await asked(queue, door.port, 7)
    assert (queue.left, len(queue.waits)) == (0, 100)
    assert min(queue.waits) > 0


async def test_an_error_is_no_answer() -> None:
    async with opened() as door:
        queue = Queue(door.request("GET", FAILING), 100)
        await asked(queue, door.port, 7)
    assert (queue.left, len(queue.waits)) == (93, 0)
