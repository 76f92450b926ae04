"""Processes of one mesh; here two of them in one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from clawmesh.cluster.hold import SOCKETS
from clawmesh.cluster.home import home
from clawmesh.cluster.node import Node, Place, open_node, settle
from clawmesh.config.load import parse
from clawmesh.config.location import Places
from clawmesh.errors import BusyError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Message
from tests.cluster.company import silent

pytestmark = pytest.mark.anyio

CONFIG = """
[agents.echo]
backend = "script"
model = "echo"
[agents.stuck]
backend = "slowly"
model = "stuck"
[backends.script]
type = "scripted"
[backends.slowly]
type = "scripted"
pace = 60
"""
# Each of two workers is home to one of them.
SIDES = [next(name for name in ("s1", "s2", "s3", "s4", "s5") if home(name, 2) == side) for side in (0, 1)]


@asynccontextmanager
async def node(data: Path, *, worker: int = 0, workers: int = 1) -> AsyncIterator[Node]:
    (data / SOCKETS).mkdir(parents=True, mode=0o700, exist_ok=True)
    place = Place(lambda: silent("stop"), worker, workers, settle(data, workers))
    async with open_node(parse(CONFIG, {}), Places(None, data), {}, silent, place) as opened:
        yield opened


async def ask(through: Node, agent: str, session: str, text: str = "hi") -> Outcome:
    return await through.app.engine.ask(Address(agent, session), Message.user(text), sender="user")


def journals(data: Path) -> set[str]:
    return {path.name for path in (data / "journal").glob("*.db")}


async def test_a_session_lives_in_one_worker_whoever_is_asked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settle(data, 2)
    async with node(data, worker=0, workers=2) as left, node(data, worker=1, workers=2) as right:
        for text in ("one", "two"):
            for through in (left, right):
                for session in SIDES:
                    assert (await ask(through, "echo", session, text)).message == Message.assistant(f"You said: {text}")
        for own, session in zip((left, right), SIDES, strict=True):
            assert len(await own.verbs["history"](address=f"echo/{session}")) == 8
            assert (await own.verbs["statistics"]())["agents"]["echo"].warm == 1
    # What was divided is read whole by one that is alone, and is not moved for that.
    async with node(data) as alone:
        for session in SIDES:
            assert len(await alone.verbs["history"](address=f"echo/{session}")) == 8
    assert journals(data) == {"0.db", "1.db"}


async def test_more_workers_divide_what_there_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with node(data) as alone:
        for session in SIDES:
            await ask(alone, "echo", session)
    assert journals(data) == {"0.db"}
    assert settle(data, 2) == 2
    async with node(data, worker=1, workers=2) as right:
        assert len(await right.verbs["history"](address=f"echo/{SIDES[1]}")) == 2
        assert await right.verbs["history"](address=f"echo/{SIDES[0]}") == []


async def test_one_that_drains_lets_nothing_in_and_leaves_what_takes_too_long(tmp_path: Path) -> None:
    async with node(tmp_path / "data") as alone, anyio.create_task_group() as tasks:
        tasks.start_soon(ask, alone, "stuck", "s")
        await anyio.wait_all_tasks_blocked()
        await alone.drain(0.05)
        assert alone.app.engine.under_way == 1
        with pytest.raises(BusyError, match="the process is ending"):
            await ask(alone, "echo", "s")
        tasks.cancel_scope.cancel()
