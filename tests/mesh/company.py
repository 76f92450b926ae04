"""A small mesh for tests, and agents for it that are plain functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from clawmesh.abc.journal import Journal
from clawmesh.clock import SystemClock
from clawmesh.config.model import MeshSettings
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine, Handler, Means, open_engine
from clawmesh.mesh.envelope import Outcome
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message, Report
from clawmesh.testing import seeded_ids

AGENTS: dict[str, tuple[str, ...]] = dict.fromkeys(("a", "b", "c"), ())


@asynccontextmanager
async def mesh(
    handler: Handler,
    *,
    agents: dict[str, tuple[str, ...]] | None = None,
    settings: MeshSettings | None = None,
    warnings: list[str] | None = None,
    journal: Journal | None = None,
) -> AsyncIterator[Engine]:
    warn = (warnings if warnings is not None else []).append
    means = Means(SystemClock(), seeded_ids(), journal or MemoryJournal(SystemClock()), warn)
    async with open_engine(handler, agents or AGENTS, settings or MeshSettings(), means) as engine:
        yield engine


def answer(text: str) -> tuple[Message, Report]:
    return Message.assistant(text), Report()


def routed(**routes: Callable[[Sender, str], object]) -> Handler:
    """Return a handler by agent: each is an async function of its sender and the text."""

    async def handle(engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        sender = Sender(engine, delivery.envelope, ("*",), ("news",), again=bool(delivery.story))
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
