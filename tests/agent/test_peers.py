from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from clawmesh.abc.context import Answer, Context, Services
from clawmesh.agent.peers import verbs
from clawmesh.errors import ArgumentError
from clawmesh.messages import Message
from clawmesh.testing import ManualClock, seeded_ids

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


class Echoes:
    """A mesh on which every agent says its own name."""

    async def ask(self, to: str, message: Message | str, *, seconds: float | None = None) -> Message:
        return Message.assistant(to)

    async def send(self, to: str, message: Message | str) -> str:
        return "env_1"

    async def publish(self, topic: str, message: Message | str) -> int:
        return 2

    async def gather(
        self,
        to: Sequence[str],
        message: Message | str,
        *,
        mode: Literal["first", "all", "quorum"] = "all",
        seconds: float | None = None,
    ) -> list[Answer]:
        return [Answer(name, Message.assistant(name)) for name in to]

    def under(self, key: str) -> Echoes:
        return self


async def ask_all(agents: list[str]) -> Any:
    services = Services(NOWHERE, ManualClock(), seeded_ids(), random.Random(0), Path())
    context = Context("a/s", "env_1", Echoes(), services, lambda _: None)
    return await verbs({"b": ""}, ())["ask_agents"].call(context, {"agents": agents, "message": "hi"})


async def test_several_agents_are_asked_at_once() -> None:
    assert await ask_all(["b", "c/s1"]) == "b: b\n\nc/s1: c/s1"
    assert (await ask_all([f"b{number}" for number in range(100)])).count("\n\n") == 99


async def test_an_agent_is_asked_once() -> None:
    with pytest.raises(ArgumentError, match="agents: b more than once; ask each one once"):
        await ask_all(["b", "c", "b"])


async def test_only_so_many_are_asked_at_once() -> None:
    with pytest.raises(ArgumentError, match="agents: 101 of them; at most 100 can be asked at once"):
        await ask_all([f"b{number}" for number in range(101)])
