from __future__ import annotations

import anyio
import pytest

from clawmesh.errors import BusyError
from clawmesh.mesh.address import Address
from clawmesh.mesh.gate import Gate
from clawmesh.messages import Message
from tests.mesh.company import echo, mesh, routed

pytestmark = pytest.mark.anyio


async def test_the_gate_is_open_below_its_bound() -> None:
    gate = Gate(ready=2)
    await gate.enter(1)
    gate.activated()
    await gate.enter(1)
    assert gate.waiting == 0


async def test_those_at_the_gate_come_in_as_they_came() -> None:
    gate = Gate(ready=1)
    gate.activated()
    order: list[int] = []

    async def enter(number: int) -> None:
        await gate.enter(60)
        order.append(number)
        gate.activated()
        gate.taken()

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(enter, number)
            await anyio.wait_all_tasks_blocked()
        assert (gate.waiting, order) == (3, [])
        gate.taken()
    assert order == [0, 1, 2]


async def test_whoever_waits_too_long_is_told_to_come_again() -> None:
    gate = Gate(ready=1)
    gate.activated()
    with pytest.raises(BusyError, match="before its deadline"):
        await gate.enter(0.001)


async def test_the_line_has_a_bound() -> None:
    gate = Gate(ready=1, line=1)
    gate.activated()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.enter, 60)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BusyError, match="1 messages wait to be let in already"):
            await gate.enter(60)
        gate.taken()


async def test_one_who_left_takes_no_place() -> None:
    gate = Gate(ready=1)
    gate.activated()
    entered: list[str] = []

    async def enter(name: str) -> None:
        await gate.enter(60)
        entered.append(name)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(enter, "gone")
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        tasks.start_soon(enter, "here")
        await anyio.wait_all_tasks_blocked()
        gate.taken()
    assert entered == ["here"]


async def test_who_activates_no_session_leaves_the_place_to_the_next() -> None:
    gate = Gate(ready=2)
    gate.activated()
    gate.activated()
    entered: list[int] = []

    async def enter(number: int) -> None:
        await gate.enter(60)
        entered.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(enter, number)
            await anyio.wait_all_tasks_blocked()
        gate.taken()
        gate.taken()
    assert entered == list(range(20))


async def test_no_more_come_in_than_there_is_room_for() -> None:
    gate = Gate(ready=3)
    for _ in range(3):
        gate.activated()
    entered = 0

    async def enter() -> None:
        nonlocal entered
        await gate.enter(60)
        entered += 1
        gate.activated()

    async with anyio.create_task_group() as tasks:
        for _ in range(9):
            tasks.start_soon(enter)
        await anyio.wait_all_tasks_blocked()
        for round in range(1, 4):
            for _ in range(3):
                gate.taken()
            await anyio.wait_all_tasks_blocked()
            assert entered == 3 * round


async def test_while_the_gate_is_held_nothing_comes_in() -> None:
    async with mesh(routed(a=echo)) as engine:
        engine.gate.hold("memory", "memory is short")
        engine.gate.hold("end", "the mesh is closing")
        with pytest.raises(BusyError, match="memory is short"):
            await engine.send(Address("a", "s"), Message.user("hi"), sender="user")
        engine.gate.hold("memory", "")
        with pytest.raises(BusyError, match="closing"):
            await engine.ask(Address("a", "s"), Message.user("hi"), sender="user")
        engine.gate.hold("end", "")
        outcome = await engine.ask(Address("a", "s"), Message.user("hi"), sender="user")
    assert outcome.message == Message.assistant("echo hi")
