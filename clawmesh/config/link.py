"""Names that lead from one table to another: agents to backends, memories and peers."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from clawmesh.config.agents import LLM
from clawmesh.config.model import AgentConfig, Component
from clawmesh.config.pattern import Names, is_pattern
from clawmesh.config.source import Place
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import Problem

# Looking for the nearest of many names takes its time; after so many wrong ones no person reads the hints.
HINTS = 100


class Links:
    """Looks names up in one kind of table and notes those which lead nowhere; remembers what it has looked up."""

    def __init__(self, kind: str, names: Iterable[str], problems: list[Problem]) -> None:
        self._kind = kind
        self._names = Names(names)
        self._problems = problems
        self._faults: dict[str, str] = {}
        self._closed: dict[str, str] = {}
        self._hints = 0

    def follow(self, place: Place, key: str, names: Iterable[str]) -> None:
        """Note each name or pattern in `key` of the table at `place` that leads nowhere."""
        for name in names:
            fault = self._faults.get(name)
            if fault is None:
                fault = self._faults[name] = self._fault(name)
            if fault:
                self._problems.append(place.problem(fault, key))

    def close(self, name: str, why: str) -> None:
        """Let a name lead nowhere although it is known; `why` is what is said of it."""
        self._closed[name] = why

    def _fault(self, name: str) -> str:
        found = next(self._names.matching(name), None)
        if found is not None:
            closed = (self._closed[match] for match in self._names.matching(name) if match in self._closed)
            return next(closed, "") if self._closed else ""
        if is_pattern(name):
            return f'"{name}" matches no {self._kind}'
        if not len(self._names):
            return f'there is no {self._kind} "{name}": none is defined'
        self._hints += 1
        hint = did_you_mean(name, self._names, otherwise="there is") if self._hints <= HINTS else ""
        return f'there is no {self._kind} "{name}"{hint}'


def check_links(
    agents: Mapping[str, AgentConfig],
    backends: Mapping[str, Component],
    memories: Mapping[str, Component],
    broken: Container[str],
    problems: list[Problem],
) -> None:
    """Note every agent that lacks a backend or model, and every name in it that leads nowhere.

    Of the `broken` agents some keys could not be read; what they lack is not noted again.
    """
    to_backends = Links("backend", backends, problems)
    to_memories = Links("memory", memories, problems)
    to_peers = Links("agent", agents, problems)
    for agent in agents.values():
        if agent.type == LLM and agent.name not in broken:
            problems += _lacking(agent, backends)
        if agent.backend:
            to_backends.follow(agent.place, "backend", agent.backend)
        if agent.memory is not None:
            to_memories.follow(agent.place, "memory", (agent.memory,))
        if agent.peers:
            to_peers.follow(agent.place, "peers", agent.peers)


def _lacking(agent: AgentConfig, backends: Mapping[str, Component]) -> list[Problem]:
    if not agent.backend:
        known = f"; there are {', '.join(sorted(backends))}" if backends else ", and a table [backends.NAME] for it"
        return [agent.place.problem(f"missing; expected the name of a backend{known}", "backend")]
    if agent.model or all(name in backends and "model" in backends[name].arguments for name in agent.backend):
        return []
    return [agent.place.problem("missing; expected the name of a model of this backend", "model")]
