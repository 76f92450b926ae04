"""Sessions that hibernate and wake, over a journal that tells what it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from clawmesh.abc.journal import Entry, Snapshot, Woken
from clawmesh.agent import session
from clawmesh.agent.session import Sessions
from clawmesh.clock import SystemClock
from clawmesh.config.model import MeshSettings
from clawmesh.errors import BusyError, StorageError
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


class Slow(MemoryJournal):
    """Tells the first that asks at once, the second when `go` is set."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.go = anyio.Event()
        self._asked = False

    async def wake(self, session: str) -> Woken:
        known = await super().wake(session)
        first, self._asked = not self._asked, True
        if not first:
            await self.go.wait()
        return known


async def test_two_that_wake_a_session_at_once_have_the_same() -> None:
    journal = Slow()
    sessions = make_sessions(journal, ManualClock())

    async def turn() -> None:
        await sessions.wake(HERE)
        sessions.add(HERE, [Message.user("hi"), Message.assistant("hello")])
        journal.go.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn)
        tasks.start_soon(sessions.wake, HERE)
    assert len((await sessions.wake(HERE)).messages) == 2


class Narrow(MemoryJournal):
    """Takes so many bytes of snapshots until somebody waits for the disk."""

    def __init__(self, bound: int) -> None:
        super().__init__(SystemClock())
        self._bound = bound
        self._waiting = 0

    def append(self, item: Entry | Snapshot) -> int:
        self._waiting += len(item.data) if isinstance(item, Snapshot) else 0
        if self._waiting > self._bound:
            raise StorageError("too much waits to be written")
        return super().append(item)

    async def durable(self, position: int) -> None:
        self._waiting = 0


async def test_sessions_leave_no_faster_than_the_disk_takes_them() -> None:
    journal, clock = Narrow(2 * session.BATCH_BYTES), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=60)
    size, count = session.BATCH_BYTES // 4, 12
    async with company(sessions, journal) as engine:
        for number in range(count):
            await sessions.wake(Address("a", f"s{number}"))
            sessions.add(Address("a", f"s{number}"), [Message.user("x" * size)])
        clock.advance(61)
        left = []
        while len(sessions):
            await sessions.tidy(engine)
            left.append(len(sessions))
    assert left == [8, 4, 0]


async def test_what_was_used_last_holds_up_none_that_rests() -> None:
    journal, clock = Watched(), ManualClock()
    sessions = make_sessions(journal, clock, hibernate=60)
    long, short = Address("a", "long"), Address("a", "short")
    async with company(sessions, journal) as engine:
        await sessions.wake(long)
        await sessions.wake(short)
        clock.advance(61)
        sessions.add(long, [Message.user("hi"), Message.assistant("after a minute")])
        await sessions.tidy(engine)
    assert [address for address, _ in sessions.sizes()] == [long]
