"""Sessions that hibernate and wake, over a journal that tells what it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from clawmesh.abc.journal import Entry, Snapshot
from clawmesh.agent import session
from clawmesh.agent.session import Sessions
from clawmesh.clock import SystemClock
from clawmesh.config.model import MeshSettings
from clawmesh.errors import BusyError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine
from clawmesh.messages import Message, Report
from clawmesh.testing import ManualClock
from tests.mesh.company import mesh

pytestmark = pytest.mark.anyio
HERE = Address("a", "s")


class Watched(MemoryJournal):
    """Keeps the snapshots that it is given."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.snapshots: list[Snapshot] = []

    def append(self, item: Entry | Snapshot) -> int:
        if isinstance(item, Snapshot):
            self.snapshots.append(item)
        return super().append(item)


@asynccontextmanager
async def company(sessions: Sessions, journal: MemoryJournal) -> AsyncIterator[Engine]:
    """Open a mesh whose agent remembers each message and its answer."""

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        transcript = await sessions.wake(delivery.envelope.to)
        answer = Message.assistant(f"answer {len(transcript.messages)}")
        sessions.add(delivery.envelope.to, [delivery.envelope.message, answer])
        return answer, Report()

    async with mesh(handle, journal=journal) as engine:
        yield engine


async def said(engine: Engine, to: Address = HERE) -> str:
    outcome = await engine.ask(to, Message.user("hi"), sender="user")
    assert outcome.message
    return outcome.message.text


def make_sessions(journal: MemoryJournal, clock: ManualClock, **settings: float) -> Sessions:
    return Sessions(journal, clock, MeshSettings(**settings), lambda agent: 100, 10**12)  # type: ignore[arg-type]


async def test_what_rests_leaves_memory_and_wakes_as_it_was() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=60)
    async with company(sessions, journal) as engine:
        assert [await said(engine), await said(engine)] == ["answer 0", "answer 2"]
        clock.advance(61)
        await sessions.tidy(engine)
        assert [each.session for each in journal.snapshots] == ["a/s"]
        assert await said(engine) == "answer 4"
        clock.advance(61)
        await sessions.tidy(engine)
        assert await said(engine) == "answer 6"


async def test_what_is_in_use_stays() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=60)
    async with company(sessions, journal) as engine:
        await said(engine)
        clock.advance(50)
        await said(engine, Address("a", "t"))
        clock.advance(20)
        await sessions.tidy(engine)
        assert [each.session for each in journal.snapshots] == ["a/s"]
        assert await said(engine, Address("a", "t")) == "answer 2"


async def test_after_a_restart_a_session_is_told_from_its_snapshot_and_its_tail() -> None:
    journal, clock = Watched(), ManualClock()
    first = make_sessions(journal, clock, hibernate=60)
    async with company(first, journal) as engine:
        await said(engine)
        clock.advance(61)
        await first.tidy(engine)
        await said(engine)
    async with company(make_sessions(journal, clock, hibernate=60), journal) as engine:
        assert await said(engine) == "answer 4"


async def test_a_session_that_never_rests_is_written_down_now_and_then() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=3600)
    async with company(sessions, journal) as engine:
        for _ in range(session.UNSAVED):
            await said(engine)
        await sessions.tidy(engine)
        assert len(sessions) == 1
    woken = await journal.wake("a/s")
    assert woken.tail == []


async def test_short_of_memory_sessions_leave_and_nothing_is_let_in() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=3600, max_rss=1)
    async with company(sessions, journal) as engine:
        await said(engine)
        await sessions.tidy(engine)
        assert len(sessions) == 0
        with pytest.raises(BusyError, match=r"more than 1 MB, its .mesh. max_rss"):
            await said(engine)


async def test_a_busy_session_stays_however_short_memory_is() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=3600, max_rss=1)
    go = anyio.Event()

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        await sessions.wake(delivery.envelope.to)
        await go.wait()
        sessions.add(delivery.envelope.to, [delivery.envelope.message])
        return Message.assistant("done"), Report()

    async with mesh(handle, journal=journal) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(said, engine)
        await anyio.wait_all_tasks_blocked()
        await sessions.tidy(engine)
        assert len(sessions) == 1
        go.set()


async def test_below_the_limit_everything_is_let_in_again() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=3600, max_rss=1_000_000)
    async with company(sessions, journal) as engine:
        engine.gate.hold("memory", "short")
        await sessions.tidy(engine)
        assert await said(engine) == "answer 0"
