"""Agents as tools: listed, and called with a message.

Source: MCP 2026-07-28, "Tools", sections "Data Types" and "Error Handling".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from clawmesh.config.agents import LLM
from clawmesh.config.model import AgentConfig
from clawmesh.errors import ClawmeshError, FailedError
from clawmesh.mcp.cursor import page
from clawmesh.mcp.fault import INVALID_PARAMS, RpcError, kind_of
from clawmesh.mcp.frame import UNREADABLE
from clawmesh.mcp.mesh import Mesh, Token
from clawmesh.messages import Emit, Image, Message, Part, Text

PAGE = 500
MESSAGE = {"type": "string", "description": "What to say to the agent."}
SESSION = {
    "type": "string",
    "description": "Goes on with the conversation of this name; without one, a new conversation begins.",
}
OUTPUT = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "What the agent answered, or why it failed."},
        "session": {"type": "string", "description": "The conversation; say it to go on with this one."},
        "id": {"type": "string", "description": "The message, as the journal knows it."},
        "error": {"type": "string", "description": "The kind of failure."},
    },
    "required": ["text", "session", "id"],
}


class Arguments(Struct, frozen=True, forbid_unknown_fields=True):
    """What a tool is called with."""

    message: str = ""
    session: str = ""


class Tools:
    """The agents of one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def list(self, token: Token, cursor: str | None) -> dict[str, Any]:
        """Return the agents that a token knows, by name; raises RpcError where the cursor is none of ours."""
        known = sorted(name for name in self._mesh.agents if token.knows(name))
        names, following = page(known, cursor, PAGE)
        tools = [_tool(self._mesh.agents[name]) for name in names]
        return {"tools": tools, **({"nextCursor": following} if following else {})}

    def find(self, token: Token, name: str) -> AgentConfig:
        """Return the agent that a tool is; raises RpcError where the token knows none of that name."""
        agent = self._mesh.agents.get(name)
        if agent is None or not token.knows(name):
            raise RpcError(INVALID_PARAMS, "there is no such tool", {"name": name})
        return agent

    async def call(self, token: Token, agent: AgentConfig, arguments: Raw, emit: Emit | None) -> dict[str, Any]:
        """Ask an agent and return its answer, or why there is none: a model may do better when it reads that."""
        try:
            asked = _arguments(agent, arguments)
            address = token.inside(agent.name, asked.session or self._mesh.app.ids.new("s"))
            message = Message.user(asked.message)
            engine = self._mesh.engine
            delivery = await engine.begin(address, message, sender=token.name, emit=emit)
        except ClawmeshError as error:
            return {"content": [_text(str(error))], "isError": True}
        told = {"session": token.outside(address), "id": delivery.envelope.id}
        try:
            outcome = await engine.settled(delivery, emit)
        except ClawmeshError as error:
            return _failed(error, told)
        if outcome.message is None:
            return _failed(outcome.error or FailedError("there is no answer"), told)
        return _answered(outcome.message, told)


def _arguments(agent: AgentConfig, data: Raw) -> Arguments:
    """Read arguments; raises RpcError where they are not what the tool's schema says."""
    try:
        asked = msgspec.json.decode(data, type=Arguments)
    except UNREADABLE as error:
        raise RpcError(INVALID_PARAMS, f"the arguments cannot be read: {error}") from error
    if not asked.message and _needs_words(agent):
        raise RpcError(INVALID_PARAMS, "the arguments cannot be read: found no `message`")
    return asked


def _needs_words(agent: AgentConfig) -> bool:
    """Whether an agent can do nothing without a message; one that is written as code may be a plain procedure."""
    return agent.type == LLM


def _tool(agent: AgentConfig) -> dict[str, Any]:
    """Return the definition of a tool: names of agents are names of tools, with the same letters and length.

    An agent that can reach nothing but its model changes nothing; what others reach, we do not know.
    """
    reaches = bool(agent.tools or agent.peers or agent.memory) or agent.type != LLM
    return {
        "name": agent.name,
        "description": agent.description or f"Asks the agent {agent.name}.",
        "inputSchema": {
            "type": "object",
            "properties": {"message": MESSAGE, "session": SESSION},
            **({"required": ["message"]} if _needs_words(agent) else {}),
            "additionalProperties": False,
        },
        "outputSchema": OUTPUT,
        "annotations": {
            "readOnlyHint": False,
            "destructiveHint": reaches,
            "idempotentHint": False,
            "openWorldHint": reaches,
        },
    }


def _answered(message: Message, told: Mapping[str, str]) -> dict[str, Any]:
    content = [said for part in message.parts if (said := _content(part))]
    return {
        "content": content or [_text("")],
        "structuredContent": {"text": message.text, **told},
        "isError": False,
    }


def _failed(error: ClawmeshError, told: Mapping[str, str]) -> dict[str, Any]:
    return {
        "content": [_text(str(error))],
        "structuredContent": {"text": str(error), **told, "error": kind_of(error)},
        "isError": True,
    }


def _content(part: Part) -> dict[str, Any] | None:
    """Return a part of an answer as a tool's result has it; what a model thought is for the model alone."""
    match part:
        case Text(text):
            return _text(text)
        case Image(media_type, data, "") if data:
            return {"type": "image", "data": base64.b64encode(data).decode(), "mimeType": media_type}
        case Image(media_type, _, url) if url:
            return {"type": "resource_link", "uri": url, "name": "image", "mimeType": media_type or "image/*"}
        case _:
            return None


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
