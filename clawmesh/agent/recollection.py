"""An agent's memory as tools of its language model."""

from __future__ import annotations

from clawmesh.abc.context import Context
from clawmesh.abc.memory import Memory
from clawmesh.abc.tool import Effect, Tool, tool
from clawmesh.agent.function import FunctionTool
from clawmesh.errors import ToolError

RECALLED = 8


@tool(effect=Effect.IDEMPOTENT)
async def remember(context: Context, text: str) -> str:
    """Keep a fact, in one sentence, for later conversations."""
    fact = await _memory(context).remember(_scope(context), text)
    return f"kept as {fact.id}"


@tool(effect=Effect.PURE)
async def recall(context: Context, query: str) -> str:
    """Search what was kept, by words."""
    facts = await _memory(context).recall(_scope(context), query, RECALLED)
    return "\n".join(f"{fact.id}: {fact.text}" for fact in facts) or "nothing found"


@tool(effect=Effect.IDEMPOTENT)
async def forget(context: Context, id: str) -> str:
    """Drop a fact, by the id that recall shows."""
    return "dropped" if await _memory(context).forget(_scope(context), id) else "there was no such fact"


def _memory(context: Context) -> Memory:
    if context.memory is None:
        raise ToolError("this agent has no memory")
    return context.memory


def _scope(context: Context) -> str:
    return context.address.partition("/")[0]


def recollection() -> dict[str, Tool]:
    """Return the tools for an agent that has a memory."""
    return {function.__name__: FunctionTool(function, function.__name__) for function in (remember, recall, forget)}
