"""The mesh's verbs as tools of a language model, limited to the agent's peers and topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from clawmesh.abc.context import Answer, Context
from clawmesh.abc.tool import Effect, Tool, tool
from clawmesh.agent.function import FunctionTool
from clawmesh.errors import ArgumentError

ASKED = 100


@tool(effect=Effect.IDEMPOTENT)
async def ask_agent(context: Context, agent: str, message: str) -> str:
    """Ask another agent and wait for its answer."""
    return (await context.mesh.ask(agent, message)).text


@tool(effect=Effect.IDEMPOTENT)
async def send_agent(context: Context, agent: str, message: str) -> str:
    """Tell another agent something without waiting for an answer."""
    return f"sent ({await context.mesh.send(agent, message)})"


@tool(effect=Effect.IDEMPOTENT)
async def ask_agents(
    context: Context, agents: list[str], message: str, mode: Literal["first", "all", "quorum"] = "all"
) -> str:
    """Ask several agents at once; mode: the first answer, all answers, or a quorum (more than half)."""
    if len(agents) > ASKED:
        raise ArgumentError(f"agents: {len(agents)} of them; at most {ASKED} can be asked at once")
    if twice := [agent for agent, times in Counter(agents).items() if times > 1]:
        raise ArgumentError(f"agents: {', '.join(twice)} more than once; ask each one once")
    return "\n\n".join(map(_said, await context.mesh.gather(agents, message, mode=mode)))


@tool(effect=Effect.IDEMPOTENT)
async def publish(context: Context, topic: str, message: str) -> str:
    """Tell every agent that follows a topic."""
    return f"published to {await context.mesh.publish(topic, message)} agents"


def _said(answer: Answer) -> str:
    return f"{answer.address}: {answer.message.text if answer.message else f'(no answer: {answer.error})'}"


def verbs(peers: Mapping[str, str], topics: Sequence[str]) -> dict[str, Tool]:
    """Return the tools for an agent whose peers are `peers` (name to description) and which shares `topics`."""
    team = "; ".join(f"{name}: {text}" if text else name for name, text in peers.items())
    tools = {verb.__name__: _told(verb, f"Agents: {team}") for verb in (ask_agent, send_agent, ask_agents) if peers}
    return tools | ({"publish": _told(publish, f"Topics: {', '.join(topics)}")} if topics else {})


def _told(function: Callable[..., Any], more: str) -> Tool:
    verb = FunctionTool(function, function.__name__)
    verb.spec = replace(verb.spec, description=f"{verb.spec.description} {more}")
    return verb
