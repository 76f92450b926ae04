"""Names to addresses, asked once."""

from __future__ import annotations

import anyio
import pytest

from clawmesh.errors import ConnectError
from clawmesh.http.dns import Resolver, literal

pytestmark = pytest.mark.anyio


async def test_literal_addresses_are_themselves() -> None:
    resolver = Resolver()
    assert await resolver("127.0.0.1", 80) == [("127.0.0.1", 80)]
    assert await resolver("::1", 81) == [("::1", 81)]
    assert not literal("127.1")
    assert not literal("0x7f000001")


async def test_name_is_looked_up_and_remembered() -> None:
    resolver = Resolver()
    answer = await resolver("localhost", 80)
    assert ("127.0.0.1", 80) in answer
    assert await resolver("localhost", 80) is answer
    assert ("127.0.0.1", 81) in await resolver("localhost", 81)


async def test_answer_is_forgotten_in_time() -> None:
    resolver = Resolver(ttl=0)
    answer = await resolver("localhost", 80)
    assert await resolver("localhost", 80) is not answer


async def test_many_who_ask_at_once_share_a_lookup_and_one_may_leave() -> None:
    resolver = Resolver()
    answers = []

    async def ask() -> None:
        answers.append(await resolver("localhost", 80))

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await ask()
        for _ in range(5):
            group.start_soon(ask)
    assert len(answers) == 5
    assert all(answer is answers[0] for answer in answers)


@pytest.mark.parametrize("name", ["no-such-name.invalid", "x" * 64 + ".example", "a..b"])
async def test_name_that_does_not_exist(name: str) -> None:
    with pytest.raises(ConnectError, match="cannot be resolved"):
        await Resolver()(name, 80)
