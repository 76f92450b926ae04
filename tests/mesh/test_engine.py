from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

import anyio
import pytest

from clawmesh.clock import SystemClock
from clawmesh.config.model import MeshSettings
from clawmesh.errors import (
    ClawmeshError,
    ExpiredError,
    FailedError,
    FullError,
    LimitError,
    PeerError,
    RingError,
    ToolError,
    UsageError,
)
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine, Handler, open_engine
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message, Piece, Reasoning, Report, Text
from clawmesh.testing import seeded_ids

pytestmark = pytest.mark.anyio
AGENTS: dict[str, tuple[str, ...]] = dict.fromkeys(("a", "b", "c"), ())


@asynccontextmanager
async def mesh(
    handler: Handler,
    *,
    agents: dict[str, tuple[str, ...]] | None = None,
    settings: MeshSettings | None = None,
    warnings: list[str] | None = None,
) -> AsyncIterator[Engine]:
    warn = (warnings if warnings is not None else []).append
    settings = settings or MeshSettings()
    async with open_engine(handler, agents or AGENTS, settings, SystemClock(), seeded_ids(), warn) as engine:
        yield engine


def answer(text: str) -> tuple[Message, Report]:
    return Message.assistant(text), Report()


def routed(**routes: Callable[[Sender, str], object]) -> Handler:
    """Return a handler by agent: each is an async function of its sender and the text."""

    async def handle(engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        sender = Sender(engine, delivery.envelope, peers=("*",), topics=("news",))
        said = await routes[delivery.envelope.to.agent](sender, delivery.envelope.message.text)  # type: ignore[misc]
        return answer(str(said))

    return handle


async def ask(engine: Engine, to: str, text: str = "hi", seconds: float | None = None) -> Outcome:
    return await engine.ask(Address.parse(to, session="s"), Message.user(text), sender="user", seconds=seconds)


async def echo(_sender: Sender, text: str) -> str:
    return f"echo {text}"


async def stuck(_sender: Sender, _text: str) -> str:
    await anyio.sleep_forever()
    return ""


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


async def test_a_ring_is_refused_with_the_ring_shown() -> None:
    async def to_b(sender: Sender, text: str) -> Message:
        return await sender.ask("b", text)

    async def to_c(sender: Sender, text: str) -> Message:
        return await sender.ask("c", text)

    async def to_a(sender: Sender, text: str) -> Message:
        return await sender.ask("a", text)

    async with mesh(routed(a=to_b, b=to_c, c=to_a)) as engine:
        outcome = await ask(engine, "a")
    assert outcome.ending is Ending.REFUSED
    assert isinstance(outcome.error, RingError)
    assert "a → b → c → a" in str(outcome.error)


async def test_endless_sending_stops_at_the_hop_limit() -> None:
    refused = anyio.Event()
    received = 0

    async def pass_on(sender: Sender, text: str) -> str:
        nonlocal received
        received += 1
        with pytest.raises(LimitError, match="hops") if received == 5 else nullcontext():
            return await sender.send("b" if received % 2 else "a", text)
        refused.set()
        return ""

    async with mesh(routed(a=pass_on, b=pass_on), settings=MeshSettings(hops=5)) as engine:
        await ask(engine, "a")
        await refused.wait()
    assert received == 5


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


async def test_peers_limit_whom_an_agent_reaches() -> None:
    async def handle(engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        sender = Sender(engine, delivery.envelope, peers=("c*",), topics=())
        await sender.ask("b", "hi")
        return answer("")

    async with mesh(handle) as engine:
        outcome = await ask(engine, "a")
    assert isinstance(outcome.error, PeerError)
    assert str(outcome.error) == "a may not talk to 'b'; its peers: c*"


async def test_publish_reaches_the_followers_but_not_the_publisher() -> None:
    received: list[str] = []
    both = anyio.Event()

    async def follow(_sender: Sender, text: str) -> str:
        received.append(text)
        if len(received) == 2:
            both.set()
        return ""

    async def tell(sender: Sender, text: str) -> int:
        return await sender.publish("news", text)

    agents = {"a": ("news",), "b": ("news",), "c": ("news", "other"), "d": ()}
    async with mesh(routed(a=tell, b=follow, c=follow), agents=agents) as engine:
        outcome = await ask(engine, "a", "extra")
        await both.wait()
    assert outcome.message == Message.assistant("2")
    assert received == ["extra", "extra"]


async def test_first_takes_one_answer_and_cancels_the_rest() -> None:
    left = anyio.Event()

    async def slow(_sender: Sender, _text: str) -> str:
        try:
            await anyio.sleep_forever()
        finally:
            left.set()
        return ""

    async def both(sender: Sender, text: str) -> str:
        answers = await sender.gather(["b", "c"], text, mode="first")
        return " ".join(f"{each.address}={each.message.text}" for each in answers if each.message)

    async with mesh(routed(a=both, b=slow, c=echo)) as engine:
        outcome = await ask(engine, "a")
        await left.wait()
    assert outcome.message == Message.assistant("c=echo hi")


async def test_quorum_needs_more_than_half_and_all_reports_failures() -> None:
    async def fail(_sender: Sender, _text: str) -> str:
        raise FailedError("broken")

    async def many(sender: Sender, mode: str) -> str:
        answers = await sender.gather(["b", "c", "d"], "hi", mode=mode)  # type: ignore[arg-type]
        return ", ".join(sorted(f"{each.address}:{each.error or 'ok'}" for each in answers))

    agents: dict[str, tuple[str, ...]] = dict.fromkeys("abcd", ())
    async with mesh(routed(a=many, b=echo, c=echo, d=stuck), agents=agents) as engine:
        assert (await ask(engine, "a", "quorum")).message == Message.assistant("b:ok, c:ok")
    async with mesh(routed(a=many, b=echo, c=fail, d=echo), agents=agents) as engine:
        assert (await ask(engine, "a", "all")).message == Message.assistant("b:ok, c:broken, d:ok")


async def test_a_conversation_keeps_one_session_with_each_peer() -> None:
    sessions: list[Address] = []

    async def handle(engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        sessions.append(delivery.envelope.to)
        if delivery.envelope.to.agent == "a":
            sender = Sender(engine, delivery.envelope, peers=("*",), topics=())
            await sender.ask("b", "one")
            await sender.ask("b", "two")
            await sender.ask("b/other", "three")
        return answer("")

    async with mesh(handle) as engine:
        await ask(engine, "a")
    assert [str(address) for address in sessions] == ["a/s", "b/a~s", "b/a~s", "b/other"]


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
    with pytest.raises(FailedError, match="the mesh is closed"):
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


@pytest.mark.parametrize("error", [SystemExit(0), asyncio.CancelledError()])
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


async def test_an_answer_can_be_passed_on_to_the_next_agent() -> None:
    heard: list[Message] = []

    async def handle(engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        if delivery.envelope.to.agent == "a":
            sender = Sender(engine, delivery.envelope, peers=("*",), topics=())
            return await sender.ask("c", await sender.ask("b", "hi")), Report()
        heard.append(delivery.envelope.message)
        return Message("assistant", (Reasoning("hm"), Text("from b"))), Report()

    async with mesh(handle) as engine:
        await ask(engine, "a")
    assert heard[1] == Message.user("from b")


async def test_a_failed_send_is_said_and_draining_waits_for_it() -> None:
    async def tell(sender: Sender, _text: str) -> str:
        return await sender.send("b", "news")

    async def fail(_sender: Sender, _text: str) -> str:
        await anyio.lowlevel.checkpoint()
        raise ToolError("no ink")

    warnings: list[str] = []
    async with mesh(routed(a=tell, b=fail), warnings=warnings) as engine:
        await ask(engine, "a")
        assert engine.under_way == 1
        await engine.drained()
    assert warnings == ["what a/s sent to b/a~s failed: no ink"]


async def test_a_ring_through_a_message_that_was_sent_is_refused_too() -> None:
    refused: list[str] = []
    done = anyio.Event()

    async def handle(engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        sender = Sender(engine, delivery.envelope, peers=("*",), topics=())
        if delivery.envelope.to.agent == "a":
            await sender.send("b/x", "begin")
            return await sender.ask("b/x", "and tell me"), Report()
        if delivery.envelope.message.text == "begin":
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RingError) as raised:
                await sender.ask("a/s", "what?")
            refused.append(str(raised.value))
            done.set()
        return answer("told")

    async with mesh(handle) as engine:
        outcome = await ask(engine, "a")
        await done.wait()
    assert outcome.ending is Ending.ANSWERED
    assert refused == ["a/s cannot be asked: it waits for this very answer (b/x → a/s → b/x)"]


async def test_whoever_waits_for_room_hears_that_the_mesh_is_closed() -> None:
    errors: list[str] = []

    async def one(engine: Engine) -> None:
        try:
            await ask(engine, "a")
        except FailedError as error:
            errors.append(str(error))

    async with (
        anyio.create_task_group() as tasks,
        mesh(routed(a=stuck), settings=MeshSettings(mailbox=1)) as engine,
    ):
        for _ in range(3):
            tasks.start_soon(one, engine)
            await anyio.wait_all_tasks_blocked()
    assert errors == ["the mesh is closed"]
