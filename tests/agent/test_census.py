"""Sessions counted by agent."""

from __future__ import annotations

import pytest

from clawmesh.agent.census import Count, census
from clawmesh.agent.session import Sessions
from clawmesh.clock import SystemClock
from clawmesh.config.model import MeshSettings
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.messages import Message
from tests.mesh.company import echo, mesh, routed

pytestmark = pytest.mark.anyio
EMPTY = 486


async def test_warm_sessions_and_those_at_work_are_counted_by_agent() -> None:
    journal = MemoryJournal(SystemClock())
    sessions = Sessions(journal, SystemClock(), MeshSettings(), lambda _: 10, 10**12)
    async with mesh(routed(a=echo, b=echo), journal=journal) as engine:
        for name in ("a/1", "a/2", "b/1"):
            await sessions.wake(Address.parse(name))
        sessions.add(Address("b", "1"), [Message.user("x" * 1000), Message.assistant("y" * 1000)])
        await engine.send(Address("a", "3"), Message.user("hi"), sender="user")
        counts = census(sessions, engine)
        await engine.drained()
    assert counts["a"] == Count(warm=2, bytes=2 * EMPTY, active=1)
    assert counts["b"].warm == 1
    assert counts["b"].bytes > 2000 + EMPTY
