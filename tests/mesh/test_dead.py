from __future__ import annotations

import anyio
import pytest

from clawmesh.abc.journal import Kind
from clawmesh.clock import SystemClock
from clawmesh.errors import ToolError, UsageError
from clawmesh.ids import kin
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.dead import discard, redrive
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message
from tests.mesh.company import echo, mesh, routed

pytestmark = pytest.mark.anyio


async def broken(_sender: Sender, _text: str) -> str:
    await anyio.lowlevel.checkpoint()
    raise ToolError("no ink")


async def dead_letter(engine: Engine) -> str:
    id = await engine.send(Address("a", "s"), Message.user("print this"), sender="user")
    await engine.drained()
    return id


async def kinds(journal: MemoryJournal, id: str) -> list[Kind]:
    return [entry.kind for entry in await journal.story(id)]


async def test_what_is_sent_and_fails_rests_with_its_reason() -> None:
    journal = MemoryJournal(SystemClock())
    async with mesh(routed(a=broken), journal=journal) as engine:
        id = await dead_letter(engine)
    assert await kinds(journal, id) == [Kind.ACCEPTED, Kind.ENDED, Kind.DEAD]
    assert (await journal.story(id))[-1].data == b"no ink"


async def test_an_asker_is_told_so_its_failure_is_no_dead_letter() -> None:
    journal = MemoryJournal(SystemClock())
    async with mesh(routed(a=broken), journal=journal) as engine:
        outcome = await engine.ask(Address("a", "s"), Message.user("hi"), sender="user", key="k")
        id = await journal.find("user a/s k")
    assert str(outcome.error) == "no ink"
    assert await kinds(journal, id) == [Kind.ACCEPTED, Kind.ENDED]


async def test_a_dead_letter_is_sent_again_under_an_id_of_its_kin() -> None:
    journal = MemoryJournal(SystemClock())
    async with mesh(routed(a=broken), journal=journal) as engine:
        id = await dead_letter(engine)
    async with mesh(routed(a=echo), journal=journal) as engine:
        new = await redrive(engine, id)
        await engine.drained()
        assert (await kinds(journal, id))[-1] is Kind.REVIVED
        assert await kinds(journal, new) == [Kind.ACCEPTED, Kind.ENDED]
        assert kin(new) == kin(id)
        with pytest.raises(UsageError, match=f'there is no dead letter "{id}"'):
            await redrive(engine, id)


async def test_one_that_fails_again_is_a_dead_letter_again() -> None:
    journal = MemoryJournal(SystemClock())
    async with mesh(routed(a=broken), journal=journal) as engine:
        id = await dead_letter(engine)
        new = await redrive(engine, id)
        await engine.drained()
    assert (await kinds(journal, new))[-1] is Kind.DEAD


async def test_a_dead_letter_can_be_discarded() -> None:
    journal = MemoryJournal(SystemClock())
    async with mesh(routed(a=broken), journal=journal) as engine:
        id = await dead_letter(engine)
        await discard(engine, id)
        assert (await kinds(journal, id))[-1] is Kind.DISCARDED
        with pytest.raises(UsageError):
            await discard(engine, id)


async def test_what_is_no_dead_letter_is_said_so() -> None:
    async with mesh(routed(a=echo)) as engine:
        with pytest.raises(UsageError, match='there is no dead letter "env_x"'):
            await redrive(engine, "env_x")
