"""What its sender takes back."""

from __future__ import annotations

import anyio
import pytest

from clawmesh.errors import WithdrawnError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Outcome
from clawmesh.messages import Message
from tests.mesh.company import mesh, routed, stuck

pytestmark = pytest.mark.anyio
TO = Address("a", "s")


async def test_who_waits_hears_that_it_was_withdrawn_and_nothing_is_left() -> None:
    warnings: list[str] = []
    outcomes: list[Outcome] = []
    async with mesh(routed(a=stuck), warnings=warnings) as engine, anyio.create_task_group() as tasks:
        working = await engine.begin(TO, Message.user("one"), sender="user", key="k")
        queued = await engine.begin(TO, Message.user("two"), sender="user")

        async def wait() -> None:
            outcomes.append(await engine.settled(queued))

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert await engine.cancel(queued.envelope.id)
        assert await engine.cancel(working.envelope.id)
        assert not await engine.cancel(working.envelope.id)
        assert not await engine.cancel("env_none")
        assert engine.under_way == 0
    for outcome in (*outcomes, working.outcome):
        assert outcome is not None
        assert outcome.ending is Ending.DEAD
        assert isinstance(outcome.error, WithdrawnError)
    assert warnings == []
