"""What other processes of this user may ask of a node, besides handing envelopes in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from clawmesh.agent.census import census
from clawmesh.app import App, Prepared
from clawmesh.cluster.door import Verb
from clawmesh.mesh import dead
from clawmesh.mesh.address import Address
from clawmesh.mesh.traffic import Traffic
from clawmesh.runtime import resident
from clawmesh.version import VERSION

WAITS = 10_000


def verbs(app: App, worker: int, stop: Callable[[], None]) -> Mapping[str, Verb]:
    """Return the verbs of one node by name."""
    engine, sessions = app.engine, app.roster.sessions
    started = engine.clock.now()

    async def status() -> dict[str, Any]:
        """Return what this process is, and how it fares; times are in seconds, memory in bytes."""
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "worker": worker,
            "started": started,
            "held": engine.gate.reason,
            "config": str(app.config.path or ""),
            "agents": {agent.name: agent.description for agent in app.config.agents.values()},
            "deadline": app.config.mesh.deadline,
            "under_way": engine.under_way,
            "warm": len(sessions),
            "rss": resident(),
            "trouble": engine.log.journal.trouble,
        }

    async def statistics() -> dict[str, Any]:
        """Return the sessions in memory by agent, and what they take."""
        return {"worker": worker, "pid": os.getpid(), "rss": resident(), "agents": census(sessions, engine)}

    async def history(address: str) -> list[dict[str, str]]:
        """Return what was said in a session, oldest first."""
        asked = Address.parse(address)
        engine.check(asked.agent)
        transcript = await sessions.wake(asked)
        return [{"role": message.role, "text": message.text} for message in transcript.messages if message.text]

    async def waits(addresses: list[str]) -> list[list[str]]:
        """Return who waits for whom, as far as it leads on from these sessions in this process."""
        found = engine.waits.reachable(map(Address.parse, addresses))
        return [[str(asker), str(asked)] for asker, asked in islice(found, WAITS)]

    return {
        "status": status,
        "statistics": statistics,
        "history": history,
        "waits": waits,
        **_watching(app, worker),
        **_steering(app, stop),
    }


def _watching(app: App, worker: int) -> Mapping[str, Verb]:
    """Return the verbs that tell what goes through the node."""
    engine, sessions = app.engine, app.roster.sessions
    traffic = Traffic(engine.clock)
    engine.watch(traffic)
    started = engine.clock.now()

    async def news(since: int) -> dict[str, Any]:
        return traffic.news(since)

    async def minute() -> dict[str, Any]:
        return traffic.minute()

    async def counts() -> dict[str, Any]:
        """Return the counts since the start, and what there is at this moment."""
        now = {"under_way": engine.under_way, "warm": len(sessions), "rss": resident(), "line": engine.gate.waiting}
        return {**traffic.counts(), **now, "worker": worker}

    async def epoch() -> str:
        """Return what tells this process from those before it."""
        return f"{int(started * 1000):x}"

    return {"news": news, "minute": minute, "counts": counts, "epoch": epoch}


def _steering(app: App, stop: Callable[[], None]) -> Mapping[str, Verb]:
    """Return the verbs that change something."""
    engine = app.engine

    async def redrive(id: str) -> str:
        return await dead.redrive(engine, id)

    async def discard(id: str) -> None:
        await dead.discard(engine, id)

    async def cancel(id: str) -> bool:
        """Stop a message that is under way here; False where it is not."""
        return await engine.cancel(id)

    prepared: list[Prepared] = []

    async def prepare() -> list[str]:
        """Read and check the configuration for `adopt`; return the tables that wait for a restart."""
        prepared[:] = [await app.prepare()]
        return [*prepared[0].late]

    async def adopt() -> int:
        """Put what was prepared into force; return its number."""
        app.adopt(prepared.pop())
        return app.version

    async def end() -> None:
        stop()

    return {"redrive": redrive, "discard": discard, "cancel": cancel, "prepare": prepare, "adopt": adopt, "stop": end}
