from __future__ import annotations

import pytest

from clawmesh.config.model import MeshSettings
from clawmesh.errors import LimitError
from clawmesh.mesh.envelope import Ending
from clawmesh.mesh.sender import Sender
from tests.mesh.company import ask, echo, mesh, routed

pytestmark = pytest.mark.anyio


async def test_a_storm_ends_at_the_ceiling_and_says_so() -> None:
    refused: list[LimitError] = []

    async def storm(sender: Sender, text: str) -> str:
        for number in range(20):
            try:
                await sender.ask("b", str(number))
            except LimitError as error:
                refused.append(error)
        return "done"

    async with mesh(routed(a=storm, b=echo), settings=MeshSettings(fanout=10)) as engine:
        outcome = await ask(engine, "a")
    assert outcome.ending is Ending.ANSWERED
    assert len(refused) == 11  # the first of the ten is the one that began it
    assert refused[0].limit == "fanout"
    assert "10 messages came of env_" in str(refused[0])


async def test_what_has_ended_counts_no_more_for_others() -> None:
    async def one(sender: Sender, text: str) -> str:
        return (await sender.ask("b", text)).text

    async with mesh(routed(a=one, b=echo), settings=MeshSettings(fanout=2)) as engine:
        outcomes = [await ask(engine, "a") for _ in range(10)]
    assert [outcome.ending for outcome in outcomes] == [Ending.ANSWERED] * 10
