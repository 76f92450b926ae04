"""Clients that listen, and what becomes of those who are not answered."""

from __future__ import annotations

import pytest

from clawmesh.bench.crowd import Crowd, ticking
from tests.bench.hall import FAILING, opened

pytestmark = pytest.mark.anyio


async def test_all_listen_until_they_leave() -> None:
    async with opened() as door:
        crowd = Crowd(door.port, ticking(door))
        shares: list[float] = []
        await crowd.gather(30, shares.append)
        await crowd.leave()
    assert (crowd.heard, crowd.failures) == (30, 0)
    assert len(crowd.lags) >= 30
    assert min(crowd.lags) > 0


async def test_whoever_is_not_answered_has_failed() -> None:
    async with opened() as door:
        crowd = Crowd(door.port, door.request("GET", FAILING))
        await crowd.gather(3, lambda share: None)
        await crowd.leave()
    assert (crowd.heard, crowd.failures) == (0, 3)


async def test_nobody_is_there() -> None:
    async with opened() as door:
        crowd = Crowd(door.port, b"")
    await crowd.gather(3, lambda share: None)
    assert crowd.failures == 3
