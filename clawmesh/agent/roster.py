"""The agents that there are, and what each does with an envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from clawmesh.abc.agent import Agent
from clawmesh.abc.backend import Backend
from clawmesh.abc.context import Context, Services
from clawmesh.abc.memory import Memory
from clawmesh.abc.tool import Tool
from clawmesh.agent.chain import Chain, Link, Setback
from clawmesh.agent.peers import verbs
from clawmesh.agent.recollection import recollection
from clawmesh.agent.record import Record
from clawmesh.agent.schema import Schema
from clawmesh.agent.session import Sessions
from clawmesh.agent.toolbox import Toolbox, ToolHooks
from clawmesh.agent.turn import NONE, Mind, ModelHooks, Turn
from clawmesh.codec import whole
from clawmesh.config.model import AgentConfig
from clawmesh.config.pattern import Names
from clawmesh.errors import FailedError, UnknownError
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.sender import Sender
from clawmesh.messages import Message, Report


class Hooks(ModelHooks, ToolHooks, Protocol):
    """All wrapper hooks of the plugins."""


class Parts(Struct, frozen=True):
    """What agents are built from: everything that plugins registered and the configuration names."""

    agents: Mapping[str, AgentConfig]
    backends: Mapping[str, Backend]
    models: Mapping[str, str]
    tools: Mapping[str, Tool]
    memories: Mapping[str, Memory]
    coded: Mapping[str, Agent]
    hooks: Hooks
    services: Services
    sessions: Sessions
    report: Callable[[Setback], None]


class Roster:
    """Handles deliveries. An agent is built when its first envelope comes, so that ten thousand start at once."""

    def __init__(self, parts: Parts) -> None:
        self.sessions = parts.sessions
        self.adopt(parts)

    def adopt(self, parts: Parts) -> None:
        """Build agents from these parts from now on; turns under way keep what they have."""
        self._parts = parts
        self._agents = Names(parts.agents)
        self._tools = Names(parts.tools)
        self._minds: dict[str, Mind] = {}

    async def handle(self, engine: Engine, delivery: Delivery) -> tuple[Message, Report]:
        """Let the agent answer one envelope."""
        envelope = delivery.envelope
        config = self._parts.agents.get(envelope.to.agent)
        if config is None:
            raise UnknownError(f'there is no agent "{envelope.to.agent}" any more')
        context = Context(
            address=str(envelope.to),
            key=envelope.id,
            mesh=Sender(engine, envelope, config.peers, config.topics, again=bool(delivery.story)),
            services=self._parts.services,
            emit=delivery.emit,
            memory=self._parts.memories[config.memory] if config.memory else None,
        )
        if coded := self._parts.coded.get(config.name):
            return _answer(config.name, await coded(context, envelope.message)), Report()
        record = Record(engine.log.journal, self._parts.services.clock, envelope.id, delivery.story)
        mind, wishes = self.mind(config.name), envelope.wishes or NONE
        if wishes.history is not None:
            return await Turn(mind, context, wishes.history, envelope.message, record, wishes).run()
        transcript = await self.sessions.wake(envelope.to)
        turn = Turn(mind, context, transcript.messages, envelope.message, record, wishes)
        result = await turn.run()
        # Only a turn that came to its answer is remembered: half of one would leave calls without results.
        self.sessions.add(envelope.to, turn.exchange)
        return result

    def mind(self, name: str) -> Mind:
        mind = self._minds.get(name)
        if mind is None:
            mind = self._minds[name] = self._build(self._parts.agents[name])
        return mind

    def _build(self, config: AgentConfig) -> Mind:
        parts = self._parts
        tools = {name: parts.tools[name] for name in self._tools.expand(config.tools)}
        peers = {name: parts.agents[name].description for name in self._agents.expand(config.peers)}
        peers.pop(config.name, None)
        tools |= verbs(peers, config.topics)
        if config.memory:
            tools |= recollection()
        return Mind(
            config=config,
            backend=self._chain(config),
            toolbox=Toolbox(tools, config.limits, parts.hooks),
            hooks=parts.hooks,
            schema=Schema(config.output_schema) if config.output_schema else None,
        )

    def _chain(self, config: AgentConfig) -> Chain:
        links = [Link(name, self._parts.backends[name], self._model(config, name)) for name in config.backend]
        services = self._parts.services
        return Chain(links, services.clock, services.random, self._parts.report)

    def _model(self, config: AgentConfig, backend: str) -> str:
        """Return the agent's model at its first backend; another backend knows that under another name, if at all."""
        own = self._parts.models[backend]
        return (config.model or own) if backend == config.backend[0] else (own or config.model)


def _answer(agent: str, answer: object) -> Message:
    """Return what an agent written as code answered; its type checker may not have looked."""
    if isinstance(answer, str):
        return Message.assistant(answer)
    if isinstance(answer, Message):
        return whole(Message("assistant", answer.parts))
    raise FailedError(f"{agent} returned {type(answer).__name__}, expected a message or text")
