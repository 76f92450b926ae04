"""`clawmesh agents`: who there is."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from clawmesh.cli.console import Console
from clawmesh.cli.opening import configured
from clawmesh.cli.table import short
from clawmesh.config.model import AgentConfig, Config
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import UsageError


def agents(arguments: argparse.Namespace, console: Console) -> int:
    """List the agents of the configuration, show one, or what their sessions take."""
    config = configured(arguments, console)
    if arguments.agent is None:
        return _statistics(config.agents, arguments, console) if arguments.stats else _list(config, console)
    agent = config.agents.get(arguments.agent)
    if agent is None:
        near = did_you_mean(arguments.agent, config.agents, otherwise="there are")
        raise UsageError(f'there is no agent "{arguments.agent}"{near}')
    if arguments.stats:
        return _statistics([agent.name], arguments, console)
    facts = _facts(agent)
    if console.as_json:
        console.json(facts)
    else:
        console.table([(name, _plain(value)) for name, value in facts.items() if value])
    return 0


def _statistics(names: Iterable[str], arguments: argparse.Namespace, console: Console) -> int:
    # Here, not above: listing the agents needs neither the engine nor the journal.
    from clawmesh.cli.statistics import show  # noqa: PLC0415

    show(names, arguments, console)
    return 0


def _list(config: Config, console: Console) -> int:
    found = list(config.agents.values())
    if console.as_json:
        console.json([_facts(agent) for agent in found])
        return 0
    if not found:
        console.note("there are no agents; 'clawmesh init' writes a first one")
        return 0
    head = ("AGENT", "BACKEND", "MODEL", "TOOLS", "PEERS", "DESCRIPTION")
    rows = [
        (
            agent.name,
            ", ".join(agent.backend) or agent.type,
            _model(config, agent) or "-",
            short(", ".join(agent.tools), 30) or "-",
            short(", ".join(agent.peers), 30) or "-",
            " ".join(agent.description.split()),
        )
        for agent in found
    ]
    console.table(rows, head=head, spare=("PEERS", "TOOLS", "BACKEND"), brief=True)
    return 0


def _model(config: Config, agent: AgentConfig) -> str:
    """Return the model that the agent's first backend is asked for."""
    own = config.backends[agent.backend[0]].arguments.get("model", "") if agent.backend else ""
    return agent.model or str(own)


def _facts(agent: AgentConfig) -> dict[str, Any]:
    return {
        "name": agent.name,
        "type": agent.type,
        "description": agent.description,
        "backend": list(agent.backend),
        "model": agent.model,
        "tools": list(agent.tools),
        "peers": list(agent.peers),
        "topics": list(agent.topics),
        "memory": agent.memory,
        "instructions": agent.instructions,
        "file": f"{agent.place.file}:{agent.place.line}",
    }


def _plain(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
