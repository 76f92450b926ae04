"""What both protocols let a caller wish of a turn, each under names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from clawmesh.api.openai.conversation import Conversation
from clawmesh.api.openai.fields import Fields
from clawmesh.api.openai.tools import Toolset
from clawmesh.config.agents import LLM
from clawmesh.config.model import AgentConfig
from clawmesh.mesh.envelope import Wishes
from clawmesh.messages import Message

Count = Annotated[int, Meta(ge=1)]
Heat = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Stops = Annotated[list[str], Meta(max_length=4)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ANY_OBJECT: Mapping[str, Any] = {"type": "object"}

# What would change the meaning of the answer, and is not done here.
REFUSED: Mapping[str, str] = {
    "logprobs": "is not offered: agents tell no probabilities",
    "top_logprobs": "is not offered: agents tell no probabilities",
    "logit_bias": "is not offered: agents take no bias of tokens",
    "moderation": "is not offered",
}


def schema(format: Fields | None, inner: str = "") -> Mapping[str, Any] | None:
    """Return the JSON Schema of a `response_format`, or of a `text.format`; `inner` is where the former has it.

    Raises:
        Rejection: it is of a kind that is not offered.
    """
    if format is None:
        return None
    kind = format.need("type", str)
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        raise format.wrong("type", f'"{kind}" is not offered here', "unsupported_value")
    about = format.object(inner) if inner else format
    if about is None:
        raise format.wrong(inner, "is required")
    return about.need("schema", dict[str, Any]) or None


def wishes(
    fields: Fields, conversation: Conversation, toolset: Toolset, *, kept: bool, **named: Any
) -> tuple[Message, Wishes]:
    """Return the message to be answered, and what is wished besides.

    `named` is what the protocols call differently. A session that is kept knows what was said before; of any other the
    request tells it.

    Raises:
        Rejection: something is of another type, or out of bounds.
    """
    history, message = (None, conversation.news()) if kept else conversation.split()
    return message, Wishes(
        history=history,
        instructions=conversation.instructions,
        tools=toolset.specs,
        tool_choice=toolset.choice,
        parallel_tools=fields.flag("parallel_tool_calls", default=True),
        temperature=fields.any("temperature", Heat),
        top_p=fields.any("top_p", Share),
        stop=_stops(fields),
        **named,
    )


def check_coded(fields: Fields, agent: AgentConfig, wishes: Wishes) -> None:
    """Raise Rejection where an agent written as code is asked for what only a model does."""
    if agent.type == LLM:
        return
    if wishes.tool_choice == "required":
        raise fields.wrong("tool_choice", f'cannot demand a call: "{agent.name}" is no model', "unsupported_value")
    if wishes.output_schema is not None:
        name = "response_format" if "response_format" in fields else "text"
        raise fields.wrong(name, f'cannot demand a form: "{agent.name}" is no model', "unsupported_value")


def _stops(fields: Fields) -> tuple[str, ...]:
    stop = fields.any("stop", str | Stops)
    return (stop,) if isinstance(stop, str) else tuple(stop or ())
