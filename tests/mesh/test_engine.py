from __future__ import annotations

import asyncio

import anyio
import pytest

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.clock import SystemClock
from clawmesh.config.model import MeshSettings
from clawmesh.errors import (
    BusyError,
    ClawmeshError,
    ExpiredError,
    FullError,
    LimitError,
    StorageError,
    ToolError,
    UsageError,
)
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message, Piece, Report, Text
from tests.mesh.company import answer, ask, echo, mesh, routed, stuck

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_back() -> None:
    async with mesh(routed(a=echo)) as engine:
        outcome = await ask(engine, "a")
    assert outcome.ending is Ending.ANSWERED
    assert outcome.message == Message.assistant("echo hi")


async def test_pieces_reach_the_asker_and_every_observer() -> None:
    seen: list[str] = []

    class Watch:
        def accepted(self, envelope: Envelope) -> None:
            seen.append(f"accepted {envelope.to}")

        def piece(self, envelope: Envelope, piece: Piece) -> None:
            assert isinstance(piece, Text)
            seen.append(f"piece {piece.text}")

        def ended(self, envelope: Envelope, outcome: Outcome) -> None:
            seen.append(f"ended {outcome.ending}")

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        delivery.emit(Text("one"))
        return answer("one")

    pieces: list[Piece] = []
    async with mesh(handle) as engine:
        engine.watch(Watch())
        await engine.ask(Address("a", "s"), Message.user("hi"), sender="user", emit=pieces.append)
    assert pieces == [Text("one")]
    assert seen == ["accepted a/s", "piece one", "ended answered"]


async def test_one_session_handles_in_order_and_one_at_a_time() -> None:
    order: list[str] = []
    inside = 0

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        nonlocal inside
        inside += 1
        assert inside == 1
        await anyio.lowlevel.checkpoint()
        order.append(delivery.envelope.message.text)
        inside -= 1
        return answer("")

    async with mesh(handle) as engine, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(ask, engine, "a", str(number))
    assert order == [str(number) for number in range(20)]


async def test_a_stuck_session_delays_no_other() -> None:
    async with mesh(routed(a=stuck, b=echo)) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        outcome = await ask(engine, "b")
        tasks.cancel_scope.cancel()
    assert outcome.ending is Ending.ANSWERED


async def test_a_thousand_sessions_run_side_by_side() -> None:
    everyone = anyio.Event()
    inside = 0

    async def handle(_engine: Engine, _delivery: Delivery) -> tuple[Message, Report]:
        nonlocal inside
        inside += 1
        if inside == 1000:
            everyone.set()
        await everyone.wait()
        return answer("done")

    outcomes: list[Outcome] = []

    async def one(engine: Engine, number: int) -> None:
        outcomes.append(await ask(engine, f"a/{number}"))

    async with mesh(handle) as engine, anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(one, engine, number)
    assert [outcome.ending for outcome in outcomes] == [Ending.ANSWERED] * 1000


async def test_a_deadline_ends_the_turn_itself() -> None:
    left = anyio.Event()

    async def leaving(_sender: Sender, _text: str) -> str:
        try:
            await anyio.sleep_forever()
        finally:
            left.set()
        return ""

    async with mesh(routed(a=leaving)) as engine:
        outcome = await ask(engine, "a", seconds=0.01)
        await left.wait()
    assert outcome.ending is Ending.EXPIRED
    assert isinstance(outcome.error, ExpiredError)


async def test_an_asker_that_leaves_ends_the_turn() -> None:
    started, left = anyio.Event(), anyio.Event()

    async def leaving(_sender: Sender, _text: str) -> str:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            left.set()
        return ""

    async with mesh(routed(a=leaving)) as engine:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, engine, "a")
            await started.wait()
            tasks.cancel_scope.cancel()
        await left.wait()
        assert left.is_set()


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ToolError("no"), Ending.FAILED),
        (LimitError("no", limit="steps"), Ending.REFUSED),
        (ValueError("no"), Ending.FAILED),
    ],
)
async def test_every_failure_is_an_outcome(error: Exception, ending: Ending) -> None:
    async def fail(_sender: Sender, _text: str) -> str:
        raise error

    async with mesh(routed(a=fail, b=echo)) as engine:
        outcome = await ask(engine, "a")
        assert outcome.ending is ending
        assert isinstance(outcome.error, ClawmeshError)
        assert (await ask(engine, "b")).ending is Ending.ANSWERED


async def test_a_full_mailbox_makes_the_sender_wait_until_its_deadline() -> None:
    async with mesh(routed(a=stuck), settings=MeshSettings(mailbox=1)) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(FullError, match="a/s stayed full"):
            await ask(engine, "a", seconds=0.01)
        tasks.cancel_scope.cancel()


async def test_room_in_a_mailbox_wakes_the_sender() -> None:
    gate = anyio.Event()

    async def wait(_sender: Sender, _text: str) -> str:
        await gate.wait()
        return "ok"

    outcomes: list[Outcome] = []

    async def one(engine: Engine) -> None:
        outcomes.append(await ask(engine, "a"))

    async with mesh(routed(a=wait), settings=MeshSettings(mailbox=1)) as engine, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one, engine)
            await anyio.wait_all_tasks_blocked()
        gate.set()
    assert [outcome.ending for outcome in outcomes] == [Ending.ANSWERED] * 5


async def test_an_unknown_agent_is_named_with_the_nearest() -> None:
    async with mesh(routed(a=echo), agents={"writer": ()}) as engine:
        with pytest.raises(UsageError, match=r'no agent "writr"; did you mean "writer"\?'):
            await ask(engine, "writr")


async def test_closing_ends_what_runs_and_what_waits() -> None:
    outcomes: list[Outcome] = []

    async def one(engine: Engine) -> None:
        outcomes.append(await ask(engine, "a"))

    async with anyio.create_task_group() as tasks, mesh(routed(a=stuck)) as engine:
        tasks.start_soon(one, engine)
        tasks.start_soon(one, engine)
        await anyio.wait_all_tasks_blocked()
    assert [str(outcome.error) for outcome in outcomes] == ["the mesh was closed before the answer"] * 2
    assert {outcome.ending for outcome in outcomes} == {Ending.DEAD}
    with pytest.raises(BusyError, match="the mesh is closed"):
        await ask(engine, "a")


async def test_a_turn_that_never_waits_keeps_the_place_of_the_next_in_line() -> None:
    gate = anyio.Event()
    inside = 0

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        nonlocal inside
        inside += 1
        assert inside == 1
        if delivery.envelope.message.text == "first":
            await gate.wait()
        inside -= 1
        return answer("")

    outcomes: list[Outcome] = []

    async def one(engine: Engine, text: str) -> None:
        outcomes.append(await ask(engine, "a", text))

    async with mesh(handle, settings=MeshSettings(mailbox=1)) as engine, anyio.create_task_group() as tasks:
        for text in ("first", "second", "third", "fourth"):
            tasks.start_soon(one, engine, text)
            await anyio.wait_all_tasks_blocked()
        gate.set()
    assert [outcome.ending for outcome in outcomes] == [Ending.ANSWERED] * 4


async def test_whoever_leaves_the_queue_makes_room() -> None:
    async with mesh(routed(a=stuck), settings=MeshSettings(mailbox=1)) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, engine, "a")
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(ask, engine, "a")
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert engine.under_way == 1
        outcome = await ask(engine, "a", seconds=0.01)
        assert outcome.ending is Ending.EXPIRED
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "error",
    [SystemExit(0), asyncio.CancelledError(), BaseExceptionGroup("two", [SystemExit(1), asyncio.CancelledError()])],
)
async def test_an_agent_that_ends_or_cancels_itself_ends_nothing_else(error: BaseException) -> None:
    async def leave(_sender: Sender, _text: str) -> str:
        raise error

    async with mesh(routed(a=leave, b=echo)) as engine:
        outcome = await ask(engine, "a")
        assert outcome.ending is Ending.FAILED
        assert f"a/s raised {type(error).__name__}" in str(outcome.error)
        assert (await ask(engine, "b")).ending is Ending.ANSWERED


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0.0, -1.0])
async def test_what_is_no_time_to_wait_is_refused(seconds: float) -> None:
    async with mesh(routed(a=echo)) as engine:
        with pytest.raises(UsageError, match="is no time to wait"):
            await ask(engine, "a", seconds=seconds)


async def test_an_observer_that_raises_is_dropped_and_named() -> None:
    class Clumsy:
        def accepted(self, envelope: Envelope) -> None:
            raise OSError("disk full")

        def piece(self, envelope: Envelope, piece: Piece) -> None: ...

        def ended(self, envelope: Envelope, outcome: Outcome) -> None: ...

    warnings: list[str] = []
    async with mesh(routed(a=echo), warnings=warnings) as engine:
        engine.watch(Clumsy())
        assert (await ask(engine, "a")).ending is Ending.ANSWERED
        await ask(engine, "a")
    assert warnings == ["Clumsy watches the mesh no more: OSError: disk full"]


async def test_whoever_waits_for_room_hears_that_the_mesh_is_closed() -> None:
    errors: list[str] = []

    async def one(engine: Engine) -> None:
        try:
            await ask(engine, "a")
        except BusyError as error:
            errors.append(str(error))

    async with (
        anyio.create_task_group() as tasks,
        mesh(routed(a=stuck), settings=MeshSettings(mailbox=1)) as engine,
    ):
        for _ in range(3):
            tasks.start_soon(one, engine)
            await anyio.wait_all_tasks_blocked()
    assert errors == ["the mesh is closed"]


async def test_what_the_journal_does_not_take_leaves_no_trace() -> None:
    """Not even where it waited for room: its place is the next one's."""
    go = anyio.Event()

    class Full(MemoryJournal):
        full = False

        def append(self, item: Entry | Snapshot) -> int:
            if self.full and isinstance(item, Entry) and item.kind is Kind.ACCEPTED:
                raise StorageError("the disk is full")
            return super().append(item)

    async def handle(_engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        await go.wait()
        return answer(delivery.envelope.message.text)

    journal, refused = Full(SystemClock()), []

    async def refusing(engine: Engine) -> None:
        try:
            await ask(engine, "a")
        except StorageError as error:
            refused.append(str(error))

    async with mesh(handle, settings=MeshSettings(mailbox=1), journal=journal) as engine:
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(ask, engine, "a")
                await anyio.wait_all_tasks_blocked()
            tasks.start_soon(refusing, engine)
            await anyio.wait_all_tasks_blocked()
            journal.full = True
            go.set()
        assert refused == ["the disk is full"]
        assert engine.under_way == 0
        journal.full = False
        assert (await ask(engine, "a", "again")).message == Message.assistant("again")
        assert list(engine.at_work()) == []


async def test_one_who_leaves_before_it_is_on_disk_ends_the_turn() -> None:
    left = anyio.Event()

    class Slow(MemoryJournal):
        async def durable(self, position: int) -> None:
            await anyio.sleep_forever()

    async def leaving(_sender: Sender, _text: str) -> str:
        try:
            await anyio.sleep_forever()
        finally:
            left.set()
        return ""

    async def call(engine: Engine) -> None:
        envelope = Envelope(
            id="env_1",
            sender="user",
            to=Address("a", "s"),
            kind="ask",
            message=Message.user("hi"),
            deadline=engine.until(60),
        )
        await engine.kept(await engine.receive(envelope))

    async with mesh(routed(a=leaving), journal=Slow(SystemClock())) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(call, engine)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await left.wait()
    assert left.is_set()
