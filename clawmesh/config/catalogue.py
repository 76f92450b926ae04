"""What the plugins offer, and whether a configuration fits it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from clawmesh.config.agents import LLM
from clawmesh.config.fault import Faults
from clawmesh.config.link import Links
from clawmesh.config.model import AgentConfig, AgentSettings, Component, Config
from clawmesh.config.record import Fields, convert_table
from clawmesh.config.scope import Scope
from clawmesh.config.signature import fields_of
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ConfigError, Problem

Offers = Mapping[str, Callable[..., Any]]


class Catalogue(Struct, frozen=True):
    """What may stand as `type` in a table, by kind: the callables which the plugins registered."""

    backends: Offers = {}
    tools: Offers = {}
    memories: Offers = {}
    agents: Offers = {}

    def fields(self, kind: str, type: str) -> Fields:
        """Return the keys of a table of this kind and type; a plain function that is a tool has none.

        Raises:
            PluginError: the signature is no configuration.
        """
        offer = getattr(self, kind)[type]
        return {} if kind == "tools" and inspect.isroutine(offer) else fields_of(offer)


def check(config: Config, catalogue: Catalogue, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Hold a configuration against what the plugins offer; secrets are looked up, so that a missing one is found now.

    Returns warnings: what works and should not stay as it is.

    Raises:
        ConfigError: every problem found.
    """
    checking = _Checking(catalogue, environ)
    for kind, components in (("backends", config.backends), ("tools", config.tools), ("memories", config.memories)):
        for component in components.values():
            checking.check_component(kind, component)
    checking.check_tools(config.agents.values(), config.tools)
    for agent in config.agents.values():
        if agent.type != LLM:
            checking.check_coded(agent)
    if checking.problems:
        raise ConfigError(tuple(dict.fromkeys(checking.problems)))
    return tuple(dict.fromkeys(checking.warnings))


class _Checking:
    def __init__(self, catalogue: Catalogue, environ: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._environ = environ
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def check_component(self, kind: str, component: Component) -> None:
        offers = getattr(self._catalogue, kind)
        if component.type not in offers:
            self.problems.append(component.place.problem(_unknown_type(kind[:-1], component, offers), "type"))
            return
        self._check_arguments(component, self._catalogue.fields(kind, component.type))

    def check_tools(self, agents: Iterable[AgentConfig], tools: Mapping[str, Component]) -> None:
        links = Links("tool", {*tools, *self._catalogue.tools}, self.problems)
        for agent in agents:
            links.follow(agent.place, "tools", agent.tools)

    def check_coded(self, agent: AgentConfig) -> None:
        offers = self._catalogue.agents
        if agent.type not in offers:
            names = {LLM, *offers}
            hint = did_you_mean(agent.type, names)
            self.problems.append(agent.place.problem(f'there is no agent type "{agent.type}"{hint}', "type"))
            return
        own, shared = self._catalogue.fields("agents", agent.type), fields_of(AgentSettings)
        taken = sorted(own.keys() & shared.keys())
        if taken:
            message = f'the agent type "{agent.type}" has parameters which every agent has already: {", ".join(taken)}'
            self.problems.append(agent.place.problem(message, "type"))
            return
        component = Component(agent.name, agent.type, agent.arguments, agent.place)
        # The shared keys are read already; they stand here to be found when a name is nearly right.
        self._check_arguments(component, {**shared, **own})

    def _check_arguments(self, component: Component, fields: Fields) -> None:
        scope = Scope(component.place.file.parent, self._environ, self.warnings)
        values = convert_table(component.arguments, fields, scope)
        if isinstance(values, Faults):
            self.problems += component.place.problems(values)


def _unknown_type(kind: str, component: Component, offers: Offers) -> str:
    kind = {"memorie": "memory"}.get(kind, kind)
    return f'there is no {kind} type "{component.type}"{did_you_mean(component.type, offers)}'
