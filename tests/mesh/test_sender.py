from __future__ import annotations

from contextlib import nullcontext

import anyio
import pytest

from clawmesh.config.model import MeshSettings
from clawmesh.errors import (
    FailedError,
    LimitError,
    PeerError,
    RingError,
    ToolError,
)
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Ending
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message, Reasoning, Report, Text
from tests.mesh.company import answer, ask, echo, mesh, routed, stuck

pytestmark = pytest.mark.anyio


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


async def test_what_is_no_message_is_not_sent() -> None:
    async def careless(sender: Sender, _text: str) -> str:
        return await sender.send("b", Message("user", (Text(None),)))  # type: ignore[arg-type]

    async with mesh(routed(a=careless, b=echo)) as engine:
        outcome = await ask(engine, "a")
        assert outcome.ending is Ending.FAILED
        assert "this is no message: Expected `str`, got `None`" in str(outcome.error)
        assert engine.under_way == 0


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
    assert [warning.partition(" (")[0] for warning in warnings] == ["what a/s sent to b/a~s failed: no ink"]


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
