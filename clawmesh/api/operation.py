"""What operators look at and do: how the mesh fares, what goes through it, what it failed to deliver."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

import anyio

from clawmesh.agent.story import read_all
from clawmesh.api.call import Call, require
from clawmesh.api.fault import say
from clawmesh.api.mesh import Mesh
from clawmesh.api.stream import EventSource
from clawmesh.config import rendering
from clawmesh.errors import ClawmeshError, JointError, UnknownError
from clawmesh.journal.archive import Archive, DeadLetter
from clawmesh.mesh.address import Address
from clawmesh.mesh.record import read_ended
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.version import VERSION

NEWS_SECONDS = 0.1
LETTERS = 1000
DAYS = 366
OUTCOMES = 200_000
"""More are not counted at once; the newest are."""


class Operation:
    """The routes of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def status(self, call: Call) -> dict[str, Any]:
        """Return how the mesh fares, worker by worker; of whom to operators alone."""
        workers = await self._mesh.everywhere("status")
        token = call.token
        facts = {
            "version": VERSION,
            "now": self._mesh.engine.clock.now(),
            "started": min(worker["started"] for worker in workers),
            "token": {"name": token.name, "scopes": token.scopes, "agents": token.agents},
            "deadline": self._mesh.app.config.mesh.deadline,
            "ready": not reasons(workers),
        }
        if not token.free:
            return facts
        shown = ("worker", "pid", "rss", "under_way", "warm", "trouble")
        return {
            **facts,
            "reasons": reasons(workers),
            "config": str(self._mesh.app.config.path or ""),
            "data": str(self._mesh.app.places.data),
            "workers": [{name: worker[name] for name in shown} for worker in workers],
        }

    async def graph(self, call: Call) -> dict[str, Any]:
        """Return who talked to whom in the last minute."""
        links: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        tokens: Counter[str] = Counter()
        for minute in await self._mesh.everywhere("minute"):
            for sender, to, messages, errors in minute["links"]:
                links[sender, to][0] += messages
                links[sender, to][1] += errors
            tokens.update(minute["tokens"])
        active: Counter[str] = Counter()
        for worker in await self._mesh.everywhere("statistics"):
            active.update({name: _field(count, "active") for name, count in worker["agents"].items()})
        agents = []
        for name in self._mesh.agents:
            got = [counts for (_, to), counts in links.items() if to == name]
            agents.append(
                {
                    "name": name,
                    "messages": sum(messages for messages, _ in got),
                    "errors": sum(errors for _, errors in got),
                    "under_way": active[name],
                    "tokens": tokens[name],
                }
            )
        shown = [
            {"from": sender, "to": to, "messages": messages, "errors": errors}
            for (sender, to), (messages, errors) in links.items()
        ]
        return {"seconds": 60, "agents": agents, "links": shown}

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell what goes through the mesh, in batches, for as long as somebody listens."""
        try:
            require(scope["state"]["token"], "operate")
        except ClawmeshError as error:
            await say(error, send)
            return
        source = EventSource(scope, send)

        async def follow() -> None:
            seen = [0] * self._mesh.node.workers
            while True:
                for worker, since in enumerate(seen):
                    try:
                        news = await self._mesh.node.query("news", worker, since=since)
                    except JointError:
                        seen[worker] = 0  # the one that takes its place counts anew
                        continue
                    seen[worker] = news["next"]
                    if news["events"]:
                        source.tell("events", news["events"])
                await anyio.sleep(NEWS_SECONDS)

        await source.run(follow)

    async def letters(self, call: Call) -> dict[str, Any]:
        """Return the dead letters, oldest first."""
        agent = call.query("agent")

        def look(archive: Archive) -> list[dict[str, Any]]:
            found = archive.dead(LETTERS, agent)
            return [{**_letter(letter), "sender": _sender(archive, letter)} for letter in found]

        return {"letters": await self._mesh.read(look)}

    async def redrive(self, call: Call) -> dict[str, Any]:
        """Send a dead letter again."""
        id = call.part("id")
        return {"id": await self._mesh.there("redrive", await self._session_of(id), id=id)}

    async def discard(self, call: Call) -> dict[str, Any]:
        """Take a dead letter away for good."""
        id = call.part("id")
        await self._mesh.there("discard", await self._session_of(id), id=id)
        return {}

    async def cost(self, call: Call) -> dict[str, Any]:
        """Return the tokens that each agent used on each of the last days (UTC)."""
        days = call.number("days", 14, DAYS)
        since = self._mesh.engine.clock.now() - days * 86_400

        def look(archive: Archive) -> dict[str, dict[str, Counter[str]]]:
            used: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
            for at, session, data in archive.outcomes(since, OUTCOMES):
                report = read_ended(data).report
                if report is not None:
                    day = datetime.fromtimestamp(at, UTC).date().isoformat()
                    counts = used[day][Address.parse(session).agent]
                    counts["turns"] += 1
                    counts["input_tokens"] += report.usage.input_tokens
                    counts["output_tokens"] += report.usage.output_tokens
                    counts["total_tokens"] += report.usage.total_tokens
            return used

        used = await self._mesh.read(look)
        return {
            "days": [
                {"day": day, "agents": [{"agent": agent, **counts} for agent, counts in sorted(agents.items())]}
                for day, agents in sorted(used.items())
            ]
        }

    async def config(self, call: Call) -> dict[str, Any]:
        """Return the configuration in force, secrets left out."""
        config = self._mesh.app.config
        return {"path": str(config.path or ""), "toml": rendering.to_toml(config)}

    async def reload(self, call: Call) -> dict[str, Any]:
        """Read the configuration again and put it into force in all workers, or in none."""
        reloaded: dict[str, Any] = await self._mesh.node.query("reload", 0)
        return reloaded

    async def _session_of(self, id: str) -> str:
        story = await self._mesh.read(lambda archive: archive.story(id))
        if not story:
            raise UnknownError(f'there is no dead letter "{id}"')
        return read_all([story])[0].envelope.to


def reasons(workers: list[dict[str, Any]]) -> list[str]:
    """Return why the mesh takes nothing at present, worker by worker."""
    found = ((worker["worker"], worker["trouble"] or worker["held"]) for worker in workers)
    return [f"worker {number}: {reason}" for number, reason in found if reason]


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {"id": letter.envelope, "session": letter.session, "at": letter.at, "reason": letter.reason}


def _sender(archive: Archive, letter: DeadLetter) -> str:
    return read_all([archive.story(letter.envelope)])[0].envelope.sender


def _field(count: Any, name: str) -> int:
    return int(count[name] if isinstance(count, dict) else getattr(count, name))
