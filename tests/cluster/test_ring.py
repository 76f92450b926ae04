"""Rings of waits through workers that know of nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clawmesh.cluster.door import open_door
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.cluster.ring import Rings
from clawmesh.errors import RingError
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.wait import Waits
from tests.cluster.company import CLOCK, Desk, delivery, silent

pytestmark = pytest.mark.anyio


def at(address: Address) -> int:
    """Return the worker that the session's name gives."""
    return int(address.session[-1])


def known(name: str) -> Address:
    """Return the address of `a0`: agent a, on worker 0."""
    return Address(name[0], f"s{name[1:]}")


class Worker:
    """One worker: what its sessions wait for, and the way to the others."""

    def __init__(self) -> None:
        self.waits = Waits()
        self.joints: dict[int, SocketJoint] = {}
        self.rings = Rings(self.waits, self.joints, at)
        self.asked = 0

    async def answer(self, addresses: list[str]) -> Sequence[Sequence[str]]:
        self.asked += 1
        found = self.waits.reachable(map(Address.parse, addresses))
        return [[str(asker), str(asked)] for asker, asked in found]


@asynccontextmanager
async def workers(folder: Path, count: int, waits: str) -> AsyncIterator[list[Worker]]:
    """Open workers whose sessions wait as said: `a0>b1 b1>c0`."""
    team = [Worker() for _ in range(count)]
    for asker, _, asked in (wait.partition(">") for wait in waits.split()):
        team[at(known(asker))].waits.add(known(asker), known(asked))
    async with AsyncExitStack() as stack:
        for number, worker in enumerate(team):
            verbs: dict[str, Any] = {"waits": worker.answer}
            await stack.enter_async_context(open_door(folder / f"{number}", Desk(hold=True), verbs, CLOCK, silent))
        for worker in team:
            for number, other in enumerate(team):
                if other is not worker:
                    joint = open_joint(folder / f"{number}", CLOCK, lasting=False)
                    worker.joints[number] = await stack.enter_async_context(joint)
        yield team


async def handed(worker: Worker, asker: str, asked: str) -> Delivery:
    """Let a session ask one of another worker."""
    given = delivery(f"env_{asker}{asked}", to=known(asked), waiting=(known(asker),))
    await worker.joints[at(known(asked))].deliver(given)
    return given


@pytest.mark.parametrize(
    ("waits", "asker", "asked", "ring"),
    [
        ("a0>b1 b1>a0", "b1", "a0", "b/s1 → a/s0 → b/s1"),
        ("a0>b1 b1>c0 c0>a0", "b1", "c0", "b/s1 → c/s0 → a/s0 → b/s1"),
        ("a0>b1 b1>c2 c2>d1 d1>a0", "d1", "a0", "d/s1 → a/s0 → b/s1 → c/s2 → d/s1"),
    ],
)
async def test_one_gives_way(tmp_path: Path, waits: str, asker: str, asked: str, ring: str) -> None:
    async with workers(tmp_path, 3, waits) as team:
        worker = team[at(known(asker))]
        given = await handed(worker, asker, asked)
        joint = worker.joints[at(known(asked))]
        await worker.rings.look(joint, [given])
        assert given.outcome is not None
        assert isinstance(given.outcome.error, RingError)
        assert f"({ring})" in str(given.outcome.error)
        assert joint.under_way == 0


@pytest.mark.parametrize(
    ("waits", "asker", "asked"),
    [
        ("a0>b1", "a0", "b1"),
        ("a0>b1 b1>c2 c2>d0", "a0", "b1"),
        # It is in a ring, but another one is to give way.
        ("a0>b1 b1>a0", "a0", "b1"),
        # There is a ring, and it only leads there.
        ("e2>a0 a0>b1 b1>a0", "e2", "a0"),
    ],
)
async def test_all_others_go_on_waiting(tmp_path: Path, waits: str, asker: str, asked: str) -> None:
    async with workers(tmp_path, 3, waits) as team:
        worker = team[at(known(asker))]
        given = await handed(worker, asker, asked)
        await worker.rings.look(worker.joints[at(known(asked))], [given])
        assert given.outcome is None


async def test_what_only_seemed_a_ring_is_none(tmp_path: Path) -> None:
    async with workers(tmp_path, 2, "a0>b1 b1>a0") as team:
        given = await handed(team[1], "b1", "a0")
        seen = team[0].answer

        async def once(addresses: list[str]) -> Sequence[Sequence[str]]:
            found = await seen(addresses)
            if team[0].asked == 1:
                team[0].waits.remove(known("a0"), known("b1"))
            return found

        async with (
            open_door(tmp_path / "other", Desk(hold=True), {"waits": once}, CLOCK, silent),
            open_joint(tmp_path / "other", CLOCK, lasting=False) as joint,
        ):
            team[1].joints[0] = joint
            await team[1].rings.look(joint, [given])
        assert team[0].asked == 2
        assert given.outcome is None


async def test_only_long_waits_of_sessions_are_looked_at(tmp_path: Path) -> None:
    async with workers(tmp_path, 2, "a0>b1") as team:
        joint = team[0].joints[1]
        given = await handed(team[0], "a0", "b1")
        await joint.deliver(delivery("env_outside"))
        assert joint.long(60) == []
        assert joint.long(0.0) == [given]


async def test_a_worker_that_refuses_to_say_for_whom_it_waits_ends_no_look(tmp_path: Path) -> None:
    worker = Worker()
    async with (
        open_door(tmp_path / "1", Desk(hold=True), {}, CLOCK, silent),
        open_joint(tmp_path / "1", CLOCK, lasting=False) as joint,
    ):
        worker.joints[1] = joint
        worker.waits.add(known("a0"), known("b1"))
        given = await handed(worker, "a0", "b1")
        await worker.rings.look(joint, [given])
        assert given.outcome is None
