"""Agents and their sessions, as an operator or their owner sees them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Any

from msgspec import to_builtins

from clawmesh.agent.case import facts
from clawmesh.agent.story import read_all
from clawmesh.api.call import Call
from clawmesh.api.mesh import Mesh
from clawmesh.config.model import AgentConfig
from clawmesh.errors import UnknownError
from clawmesh.journal.archive import SessionSize
from clawmesh.mesh.address import Address

PAGE, MOST = 200, 1000
SHOWN = 100


class Sessions:
    """The routes of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def agents(self, call: Call) -> dict[str, Any]:
        """Return the agents that the token is for, and how many of their sessions are in memory."""
        active: Counter[str] = Counter()
        warm: Counter[str] = Counter()
        for worker in await self._mesh.everywhere("statistics"):
            for name, count in to_builtins(worker["agents"]).items():
                active[name] += count["active"]
                warm[name] += count["warm"]
        known = [agent for agent in self._mesh.agents.values() if call.token.knows(agent.name)]
        return {"agents": [{**_agent(each), "sessions": _count(each.name, active, warm)} for each in known]}

    async def agent(self, call: Call) -> dict[str, Any]:
        """Return one agent."""
        name = call.part("agent")
        if name not in self._mesh.agents or not call.token.knows(name):
            raise UnknownError(f'there is no agent "{name}"')
        return _agent(self._mesh.agents[name])

    async def list(self, call: Call) -> dict[str, Any]:
        """Return sessions by their address, so many from one on; `next` is where the following page begins."""
        agent, after, limit = call.query("agent"), call.query("after"), call.number("limit", PAGE, MOST)
        found = await self._mesh.read(lambda archive: archive.sessions(agent))
        own = [each for each in found if call.token.owns(Address.parse(each.session))]
        start = bisect_right(own, after, key=lambda each: each.session) if after else 0
        page = own[start : start + limit]
        following = page[-1].session if start + limit < len(own) else None
        return {"sessions": [_session(each, call) for each in page], "next": following}

    async def session(self, call: Call) -> dict[str, Any]:
        """Return a session's newest messages, oldest first."""
        address = call.token.inside(call.part("agent"), call.part("session"))
        stories = await self._mesh.read(lambda archive: archive.session(str(address), SHOWN))
        if not stories or not call.token.knows(address.agent):
            raise UnknownError(f'there is no session "{call.part("agent")}/{call.part("session")}"')
        return {"address": str(address), "messages": [facts(account) for account in read_all(stories)]}


def _session(size: SessionSize, call: Call) -> dict[str, Any]:
    address = Address.parse(size.session)
    return {
        "address": size.session,
        "agent": address.agent,
        "session": call.token.outside(address),
        "entries": size.entries,
        "bytes": size.journal_bytes + size.snapshot_bytes,
        "used": size.used,
    }


def _agent(agent: AgentConfig) -> dict[str, Any]:
    return {
        "name": agent.name,
        "type": agent.type,
        "description": agent.description,
        "backend": agent.backend,
        "model": agent.model,
        "tools": agent.tools,
        "peers": agent.peers,
        "topics": agent.topics,
        "memory": agent.memory,
        "limits": to_builtins(agent.limits),
    }


def _count(name: str, active: Counter[str], warm: Counter[str]) -> dict[str, int]:
    return {"active": active[name], "warm": warm[name]}
