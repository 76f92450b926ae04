"""Envelopes over a joint, through a door, to an engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from clawmesh.cluster.door import open_door
from clawmesh.cluster.frame import FRAME_BYTES
from clawmesh.cluster.joint import Bounds, open_joint
from clawmesh.errors import (
    BusyError,
    ClawmeshError,
    ExpiredError,
    FailedError,
    FullError,
    JointError,
    LimitError,
    UsageError,
)
from clawmesh.messages import Piece, Text
from tests.cluster.company import CLOCK, Desk, delivery, doorway, ended, silent

pytestmark = pytest.mark.anyio


async def test_an_answer_comes_back_piece_by_piece(tmp_path: Path) -> None:
    pieces: list[Piece] = []
    async with doorway(tmp_path / "s", Desk()) as (joint, _):
        given = delivery("env_1", "one two", emit=pieces.append)
        await joint.deliver(given)
        outcome = await ended(given)
    assert outcome.message is not None
    assert outcome.message.text == "one two"
    assert pieces == [Text("one"), Text("two")]


async def test_ten_thousand_arrive_in_order_and_once(tmp_path: Path) -> None:
    desk = Desk(hold=True)
    given = [delivery(f"env_{number}", str(number)) for number in range(10_000)]
    async with doorway(tmp_path / "s", desk) as (joint, _):
        await asyncio.gather(*map(joint.deliver, given))
        for one in given:
            desk.answer(one.envelope.id)
        outcomes = await asyncio.gather(*map(ended, given))
    assert [*desk.deliveries] == [one.envelope.id for one in given]
    assert [outcome.message and outcome.message.text for outcome in outcomes] == [str(n) for n in range(10_000)]


@pytest.mark.parametrize(
    "error", [FullError("full"), UsageError("no agent"), BusyError("busy"), LimitError("hops", limit="hops")]
)
async def test_a_refusal_is_raised_as_it_was(tmp_path: Path, error: ClawmeshError) -> None:
    desk = Desk()
    desk.refusal = error
    async with doorway(tmp_path / "s", desk) as (joint, _):
        with pytest.raises(type(error), match=str(error)) as raised:
            await joint.deliver(delivery("env_1"))
        assert getattr(raised.value, "limit", "") == getattr(error, "limit", "")


async def test_whoever_leaves_ends_the_work(tmp_path: Path) -> None:
    desk = Desk(hold=True)
    async with doorway(tmp_path / "s", desk) as (joint, _):
        given = delivery("env_1")
        await joint.deliver(given)
        joint.abandon(given)
        await desk.someone_left.wait()
        assert desk.left == ["env_1"]
        desk.hold = False
        again = delivery("env_2")
        await joint.deliver(again)
        assert (await ended(again)).message


async def test_whoever_is_cancelled_while_handing_over_leaves(tmp_path: Path) -> None:
    desk = Desk()
    desk.open.clear()
    async with doorway(tmp_path / "s", desk) as (joint, _), anyio.create_task_group() as tasks:
        tasks.start_soon(joint.deliver, delivery("env_1"))
        await desk.knocked.wait()
        tasks.cancel_scope.cancel()
        await checkpoint()
    assert desk.deliveries == {}


async def test_what_is_sent_needs_no_outcome(tmp_path: Path) -> None:
    desk = Desk(hold=True)
    async with doorway(tmp_path / "s", desk) as (joint, _):
        await joint.deliver(delivery("env_1", kind="send"))
        assert not joint.under_way


async def test_nobody_at_home_until_the_deadline(tmp_path: Path) -> None:
    async with open_joint(tmp_path / "none", CLOCK, lasting=True) as joint:
        with pytest.raises(ExpiredError, match="home to b/s did not take the message in time"):
            await joint.deliver(delivery("env_1", seconds=0.05))
        assert not joint.under_way


async def test_a_broken_joint_is_mended_and_nothing_is_done_twice(tmp_path: Path) -> None:
    desk, path = Desk(hold=True), tmp_path / "s"
    async with open_joint(path, CLOCK, lasting=True) as joint:
        given = [delivery(f"env_{number}") for number in range(20)]
        async with open_door(path, desk, {}, CLOCK, silent):
            await asyncio.gather(*map(joint.deliver, given[:10]))
        # Nobody is there any more; these wait.
        async with anyio.create_task_group() as tasks:
            for one in given[10:]:
                tasks.start_soon(joint.deliver, one)
            await anyio.wait_all_tasks_blocked()
            async with open_door(path, desk, {}, CLOCK, silent):
                await desk.until(20)
                for one in given:
                    desk.answer(one.envelope.id)
                outcomes = await asyncio.gather(*map(ended, given))
    assert [*desk.deliveries] == [one.envelope.id for one in given]
    assert all(outcome.message for outcome in outcomes)
    assert desk.left == []


async def test_one_that_does_not_last_ends_with_its_connection(tmp_path: Path) -> None:
    desk, path = Desk(hold=True), tmp_path / "s"
    with pytest.raises(JointError, match="nobody answers"):
        await open_joint(path, CLOCK, lasting=False).__aenter__()
    async with open_door(path, desk, {}, CLOCK, silent) as door, open_joint(path, CLOCK, lasting=False) as joint:
        given = delivery("env_1")
        await joint.deliver(given)
        await door.end()
        assert isinstance((await ended(given)).error, JointError)
        with pytest.raises(JointError):
            await joint.deliver(delivery("env_2"))


async def test_a_door_that_is_shut_sends_the_next_one_elsewhere(tmp_path: Path) -> None:
    desk, path = Desk(hold=True), tmp_path / "s"
    async with open_door(path, desk, {}, CLOCK, silent) as door, open_joint(path, CLOCK, lasting=False) as joint:
        given = delivery("env_1")
        await joint.deliver(given)
        door.close()
        with pytest.raises(JointError, match="the process is ending"):
            await joint.deliver(delivery("env_2"))
        # What belongs to a conversation inside is let in until the end.
        await joint.deliver(delivery("env_3", causes=("env_1",)))
        desk.answer("env_1")
        assert (await ended(given)).message


async def test_queries_are_answered(tmp_path: Path) -> None:
    async def add(a: int, b: int) -> dict[str, Any]:
        return {"sum": a + b}

    async def fail() -> None:
        raise ZeroDivisionError("oh")

    said: list[str] = []
    path = tmp_path / "s"
    async with (
        open_door(path, Desk(), {"add": add, "fail": fail}, CLOCK, said.append),
        open_joint(path, CLOCK, lasting=False) as joint,
    ):
        assert await joint.query("add", a=1, b=2) == {"sum": 3}
        with pytest.raises(UsageError, match='there is no query "ad"; did you mean "add"'):
            await joint.query("ad")
        with pytest.raises(FailedError, match="ZeroDivisionError: oh"):
            await joint.query("fail")
    assert said == ["what came through the door failed: ZeroDivisionError: oh"]


async def test_what_is_too_large_fails_alone(tmp_path: Path) -> None:
    async def large() -> bytes:
        return b"\x00" * FRAME_BYTES

    async with doorway(tmp_path / "s", Desk(), {"large": large}) as (joint, _):
        with pytest.raises(FailedError, match="too many for another process"):
            await joint.deliver(delivery("env_1", "x" * FRAME_BYTES))
        good = delivery("env_2")
        await joint.deliver(good)
        with pytest.raises(FailedError, match="the answer cannot be passed on"):
            await joint.query("large")
        assert (await ended(good)).message


async def test_only_so_many_wait_in_line(tmp_path: Path) -> None:
    desk = Desk()
    desk.open.clear()
    async with (
        open_door(tmp_path / "s", desk, {}, CLOCK, silent),
        open_joint(tmp_path / "s", CLOCK, lasting=True, bounds=Bounds(window=10, line=5)) as joint,
        anyio.create_task_group() as tasks,
    ):
        given = [delivery(f"env_{number}") for number in range(15)]
        for one in given:
            tasks.start_soon(joint.deliver, one)
        await desk.knocked.wait()
        with pytest.raises(FullError, match="5 messages wait for the process that is home to b/s"):
            await joint.deliver(delivery("env_16"))
        desk.open.set()
    assert [*desk.deliveries] == [one.envelope.id for one in given]
