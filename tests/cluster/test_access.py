"""Commands that share a mesh, whichever of them has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import cast

import anyio
import pytest

from clawmesh.cluster.access import Access, open_access
from clawmesh.cluster.door import open_door
from clawmesh.cluster.frame import Hello, pack
from clawmesh.cluster.hold import hold, holder, socket_of
from clawmesh.cluster.node import Node, Place, open_node
from clawmesh.cluster.socket import listen
from clawmesh.config.load import parse
from clawmesh.config.location import Places
from clawmesh.errors import ConfigError, ExpiredError, FailedError, HeldError, UsageError, VersionError
from clawmesh.mesh.address import Address
from clawmesh.messages import Message, Piece, Retraction, Text
from tests.cluster.company import CLOCK, Desk, silent

pytestmark = pytest.mark.anyio

CONFIG = """
[defaults]
backend = "script"
[agents.echo]
model = "echo"
description = "says it again"
[agents.steady]
backend = "steadily"
model = "steady"
[backends.script]
type = "scripted"
[backends.steadily]
type = "scripted"
pace = 0.1
rules = [{ say = "one two three" }]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def access(data: Path, text: str = CONFIG) -> AbstractAsyncContextManager[Access]:
    """Open access as a command does."""

    def opener(place: Place) -> AbstractAsyncContextManager[Node]:
        return open_node(parse(text, {}), Places(None, data), {}, silent, place)

    return open_access(data, "ask", opener, silent, patience=10)


async def said(through: Access, agent: str, text: str, emit: Callable[[Piece], None] | None = None) -> str:
    outcome = await through.ask(Address(agent, "s"), Message.user(text), emit=emit)
    assert outcome.message is not None, outcome.error
    return outcome.message.text


async def history(through: Access) -> list[str]:
    return [line["text"] for line in await through.query("history", "s", address="echo/s")]


async def test_the_first_has_the_mesh_and_lets_the_next_ones_in(data: Path) -> None:
    pieces: list[Piece] = []
    async with access(data) as first:
        assert await said(first, "echo", "one") == "You said: one"
        async with access(data) as second, access(data) as third:
            assert await said(second, "echo", "two", pieces.append) == "You said: two"
            assert "".join(piece.text for piece in pieces if isinstance(piece, Text)) == "You said: two"
            assert await history(third) == ["one", "You said: one", "two", "You said: two"]
            assert (await third.status("s"))["agents"] == {"echo": "says it again", "steady": ""}
            statistics = await third.query("statistics", "s")
            assert statistics["agents"]["echo"]["warm"] == 1
            for each in (first, second):
                with pytest.raises(UsageError, match='there is no agent "eco"; did you mean "echo"'):
                    await said(each, "eco", "hi")
                with pytest.raises(UsageError, match='there is no query "dance"'):
                    await each.query("dance", "s")
                with pytest.raises(FailedError, match="ends when its own work is done"):
                    await each.query("stop", "s")
    assert holder(data) is None


async def test_when_it_goes_the_next_one_takes_over(data: Path) -> None:
    async with access(data) as second:
        async with access(data) as first:
            await said(first, "echo", "one")
            await said(second, "echo", "two")
        # Now nobody has it, until it is needed.
        assert holder(data) is None
        assert await said(second, "echo", "three") == "You said: three"
        assert await history(second) == ["one", "You said: one", "two", "You said: two", "three", "You said: three"]
        async with access(data) as third:
            assert len(await history(third)) == 6


async def test_whoever_goes_finishes_what_others_have_asked(data: Path) -> None:
    answers: list[str] = []
    pieces: list[Piece] = []
    begun = anyio.Event()

    async def ask(through: Access) -> None:
        def emit(piece: Piece) -> None:
            pieces.append(piece)
            begun.set()

        answers.append(await said(through, "steady", "go", emit))

    async with access(data) as second, anyio.create_task_group() as tasks, access(data) as first:
        await said(first, "echo", "here")
        tasks.start_soon(ask, second)
        await begun.wait()
    assert answers == ["one two three"]
    assert not any(isinstance(piece, Retraction) for piece in pieces)


async def test_what_breaks_off_goes_on_with_the_next_one(data: Path) -> None:
    pieces: list[Piece] = []
    answers: list[str] = []
    begun = anyio.Event()

    async def ask(through: Access) -> None:
        def emit(piece: Piece) -> None:
            pieces.append(piece)
            begun.set()

        answers.append(await said(through, "steady", "go", emit))

    async with access(data) as second, anyio.create_task_group() as tasks:
        with anyio.CancelScope() as life:
            async with access(data) as first:
                await said(first, "echo", "here")
                tasks.start_soon(ask, second)
                await begun.wait()
                life.cancel()
                await anyio.sleep_forever()
    assert answers == ["one two three"]
    assert sum(isinstance(piece, Retraction) for piece in pieces) == 1


async def test_many_at_once_all_get_their_answer(data: Path) -> None:
    answers: list[str] = []

    async def one(number: int) -> None:
        async with access(data) as mine:
            answers.append(await said(mine, "echo", str(number)))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(one, number)
    assert sorted(answers) == [f"You said: {number}" for number in range(6)]


async def test_who_leaves_ends_the_work(data: Path) -> None:
    async with access(data) as first, access(data) as second:
        await said(first, "echo", "here")
        for each in (first, second):
            begun = anyio.Event()
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(said, each, "steady", "go", lambda _piece, begun=begun: begun.set())
                    await begun.wait()
                    scope.cancel()
        # The session is free at once.
        assert await said(second, "steady", "go") == "one two three"


async def test_a_wrong_configuration_is_said_plainly(data: Path) -> None:
    async with access(data, "[agents.a]\nbackend = 'none'\n") as wrong:
        with pytest.raises(ConfigError):
            await said(wrong, "a", "hi")
    assert holder(data) is None


async def test_another_version_is_told_of_at_once(data: Path) -> None:
    def never(place: Place) -> AbstractAsyncContextManager[Node]:
        raise AssertionError(place)

    class Elder(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # uvloop's does not say that it is one
            cast(asyncio.WriteTransport, transport).write(pack(Hello(protocol=0, version="0.0.1")))

    with hold(data, "serve"):
        server = await asyncio.get_running_loop().create_unix_server(Elder, sock=listen(socket_of(data, 0)))
        async with open_access(data, "ask", never, silent) as newer:
            with pytest.raises(VersionError, match=r"the other process is ClawMesh 0\.0\.1 .* run the same version"):
                await newer.status("s")
        server.close()
        await server.wait_closed()


async def test_a_silent_holder_is_named(data: Path) -> None:
    def never(place: Place) -> AbstractAsyncContextManager[Node]:
        raise AssertionError(place)

    with hold(data, "serve"):
        async with open_access(data, "ask", never, silent, patience=0.1) as patient:
            with pytest.raises(HeldError, match=r"is held, but nobody answers: clawmesh serve \(process \d+\) holds"):
                await patient.status("s")


async def test_who_is_turned_away_comes_again_until_the_deadline(data: Path) -> None:
    async def status() -> dict[str, float]:
        return {"deadline": 0.2}

    def never(place: Place) -> AbstractAsyncContextManager[Node]:
        raise AssertionError(place)

    with hold(data, "serve"):
        async with open_door(socket_of(data, 0), Desk(), {"status": status}, CLOCK, silent) as door:
            door.close()
            async with open_access(data, "ask", never, silent) as through:
                with pytest.raises(ExpiredError, match="no answer from echo/s before the deadline"):
                    await said(through, "echo", "hi")
