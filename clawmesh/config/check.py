"""Whether a configuration fits what the plugins offer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clawmesh.config.agents import LLM
from clawmesh.config.catalogue import Catalogue
from clawmesh.config.fault import Faults
from clawmesh.config.link import Links
from clawmesh.config.load import ordered
from clawmesh.config.model import AgentConfig, AgentSettings, Component, Config
from clawmesh.config.record import Fields, convert_table
from clawmesh.config.scope import Scope
from clawmesh.config.signature import fields_of
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ConfigError, Problem

KINDS = {"backends": "backend", "tools": "tool", "memories": "memory"}


def check(config: Config, catalogue: Catalogue, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Hold a configuration against what the plugins offer; secrets are looked up, so that a missing one is found now.

    Returns warnings: what works and should not stay as it is.

    Raises:
        ConfigError: every problem found.
    """
    problems, warnings = survey(config, catalogue, environ)
    if problems:
        raise ConfigError(problems)
    return warnings


def survey(config: Config, catalogue: Catalogue, environ: Mapping[str, str]) -> tuple[list[Problem], tuple[str, ...]]:
    """Return every problem and every warning."""
    checking = _Checking(catalogue, environ)
    for kind, components in (("backends", config.backends), ("tools", config.tools), ("memories", config.memories)):
        for component in components.values():
            checking.check_component(kind, component)
    checking.check_tools(config.agents.values(), config.tools)
    for agent in config.agents.values():
        if agent.type != LLM:
            checking.check_coded(agent)
    return ordered(checking.problems, config.files), tuple(dict.fromkeys(checking.warnings))


class _Checking:
    def __init__(self, catalogue: Catalogue, environ: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._environ = environ
        self.problems: list[Problem] = []
        self.warnings: list[str] = []

    def check_component(self, kind: str, component: Component) -> None:
        offers = self._catalogue.of(kind)
        if component.type in offers:
            self._check_arguments(component, self._catalogue.fields(kind, component.type))
        else:
            message = _unknown_type(KINDS[kind], component.type, offers)
            self.problems.append(component.place.problem(message, "type"))

    def check_tools(self, agents: Iterable[AgentConfig], tables: Mapping[str, Component]) -> None:
        """Check that every tool named is there; one without a table must do without keys, too."""
        links = Links("tool", {*tables, *self._catalogue.tools}, self.problems)
        for name in self._catalogue.tools:
            needs = [field.name for field in self._catalogue.fields("tools", name).values() if field.required]
            if needs and name not in tables:
                links.close(name, f'the tool "{name}" needs a table [tools.{name}] with {", ".join(needs)}')
        for agent in agents:
            links.follow(agent.place, "tools", agent.tools)

    def check_coded(self, agent: AgentConfig) -> None:
        offers = self._catalogue.agents
        if agent.type not in offers:
            message = _unknown_type("agent", agent.type, {LLM: LLM, **offers})
            self.problems.append(agent.place.problem(message, "type"))
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


def _unknown_type(kind: str, type: str, offers: Mapping[str, object]) -> str:
    return f'there is no {kind} type "{type}"{did_you_mean(type, offers)}'
