"""Agent cards: what each agent is for and how it is reached, and the same for all that one server has.

Source: A2A specification 1.0, sections 4.4, 8.3 and 8.6. The card of the server has an interface for each agent, told
apart by its `tenant`. Cards are for those who have a token, like everything else here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clawmesh.a2a.content import INPUT_MODES, OUTPUT_MODES
from clawmesh.a2a.values import VERSION as PROTOCOL
from clawmesh.a2a.values import Capabilities, Card, Interface, Skill
from clawmesh.config.model import AgentConfig
from clawmesh.version import VERSION

ROOT = "/a2a"
WELL_KNOWN = "/.well-known/agent-card.json"
BINDINGS = ("JSONRPC", "HTTP+JSON")
# More would make a card that nobody reads; each of the others has a card of its own.
MOST = 100
SCHEMES = {
    "bearer": {
        "httpAuthSecurityScheme": {
            "scheme": "Bearer",
            "description": "A token of this server, made with 'clawmesh token create'; this card needs it, too.",
        }
    }
}
REQUIREMENTS: tuple[Mapping[str, Any], ...] = ({"schemes": {"bearer": {"list": []}}},)
CAPABILITIES = Capabilities(streaming=True, push_notifications=True, extended_agent_card=False)


def agent_card(agent: AgentConfig, base: str) -> Card:
    """Return the card of one agent of the server at `base`."""
    url = f"{base}{ROOT}/{agent.name}"
    interfaces = tuple(Interface(url=url, protocol_binding=each, protocol_version=PROTOCOL) for each in BINDINGS)
    return _card(agent.name, _description(agent), interfaces, [agent])


def server_card(agents: Iterable[AgentConfig], base: str) -> Card:
    """Return the card of the server at `base`, for one who knows these agents."""
    known = [*agents][:MOST]
    interfaces = tuple(
        Interface(url=base + ROOT, protocol_binding=binding, protocol_version=PROTOCOL, tenant=agent.name)
        for agent in known
        for binding in BINDINGS
    )
    return _card("clawmesh", "Agents of this server; a tenant is the name of one.", interfaces, known)


def _card(name: str, description: str, interfaces: tuple[Interface, ...], agents: Iterable[AgentConfig]) -> Card:
    skills = [Skill(id=each.name, name=each.name, description=_description(each), tags=("agent",)) for each in agents]
    return Card(
        name=name,
        description=description,
        supported_interfaces=interfaces,
        version=VERSION,
        capabilities=CAPABILITIES,
        default_input_modes=INPUT_MODES,
        default_output_modes=OUTPUT_MODES,
        skills=tuple(skills),
        security_schemes=SCHEMES,
        security_requirements=REQUIREMENTS,
    )


def _description(agent: AgentConfig) -> str:
    return agent.description or f"The agent {agent.name}."
