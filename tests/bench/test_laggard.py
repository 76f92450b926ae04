"""Slow clients of a server that has little patience, and of one that has much."""

from __future__ import annotations

import pytest

from clawmesh.bench import laggard
from clawmesh.server.limits import Patience
from tests.bench.hall import opened

pytestmark = pytest.mark.anyio

HASTE = Patience(header=0.3, body=0.3, pace=1000.0, idle=5.0, reading=0.3)


async def test_the_slow_are_cut_off_and_the_quick_are_not() -> None:
    async with opened(HASTE) as door:
        found = await laggard.met(door, 2, HASTE, lambda share: None)
    assert (found.headers, found.bodies, found.readers) == (2, 2, 2)
    assert found.failures == 0


async def test_whoever_is_not_cut_off_is_not_counted() -> None:
    async with opened() as door:
        found = await laggard.met(door, 1, HASTE, lambda share: None)
    assert (found.headers, found.bodies, found.readers, found.failures) == (0, 0, 0, 0)
