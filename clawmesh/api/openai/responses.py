"""Reads requests for responses.

Source: OpenAI API reference, "Create a model response".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from clawmesh.api.openai.caller import Caller, Target, target
from clawmesh.api.openai.content import content, text
from clawmesh.api.openai.conversation import Conversation, Scribe
from clawmesh.api.openai.exchange import Order
from clawmesh.api.openai.fields import Fields
from clawmesh.api.openai.item import Echo, Format, Kept, TextOptions, Thinking
from clawmesh.api.openai.tools import Toolset, toolset
from clawmesh.api.openai.wishes import REFUSED, Count, Effort, check_coded, schema, wishes
from clawmesh.config.model import AgentConfig
from clawmesh.ids import Ids
from clawmesh.mesh.envelope import Wishes
from clawmesh.messages import Message, Text, ToolCall

UNSPOKEN: Mapping[str, str] = {
    **REFUSED,
    "background": "is not offered: ask without it, or send the message over /api",
    "prompt": "is not offered: an agent has instructions of its own",
}
Tag = Annotated[str, Meta(max_length=512)]
Metadata = Annotated[dict[str, Tag], Meta(max_length=16)]


class ResponseRequest(Struct, frozen=True):
    """A request that was read: what to ask, and what the response repeats of it."""

    order: Order
    echo: Echo
    kept: str
    stream: bool


class Before(Struct, frozen=True):
    """The response that a request goes on from, and what was said up to its end; "" where there is none."""

    id: str = ""
    messages: tuple[Message, ...] = ()


def read(
    fields: Fields, before: Before, caller: Caller, agents: Mapping[str, AgentConfig], ids: Ids
) -> ResponseRequest:
    """Read a request; raises Rejection where it cannot be done as it is meant."""
    model = fields.need("model", str)
    aim = target(caller, model, _conversation_id(fields), agents, ids)
    fields.refuse(UNSPOKEN)
    if before.id and aim.kept:
        raise fields.wrong("previous_response_id", "cannot be gone on from in a session that is kept")
    tools = toolset(fields, aim.agent)
    order = _order(fields, _conversation(fields, before), caller, aim, tools)
    echo = _echo(fields, model, aim, order.wishes, tools)
    if before.id:
        echo = replace(echo, previous_response_id=before.id)
    return ResponseRequest(order, echo, aim.kept, fields.flag("stream", default=False))


def _order(fields: Fields, conversation: Conversation, caller: Caller, aim: Target, tools: Toolset) -> Order:
    options, thinking = fields.object("text"), fields.object("reasoning")
    message, wished = wishes(
        fields,
        conversation,
        tools,
        kept=bool(aim.kept),
        output_schema=schema(options.object("format") if options else None),
        max_tokens=fields.any("max_output_tokens", Count),
        reasoning=(thinking.any("effort", Effort) if thinking else None) or "",
    )
    check_coded(fields, aim.agent, wished)
    return Order.of(aim, caller, message, wished)


def _conversation_id(fields: Fields) -> str:
    if isinstance(fields.value("conversation"), dict):
        about = fields.object("conversation")
        return about.need("id", str) if about else ""
    return fields.get("conversation", str) or ""


def _conversation(fields: Fields, before: Before) -> Conversation:
    scribe = Scribe("input", fields.get("instructions", str) or "", before.messages)
    if "input" not in fields:
        raise fields.wrong("input", "is required")
    if isinstance(fields.value("input"), str):
        scribe.user((Text(fields.need("input", str)),))
    else:
        for item in fields.objects("input"):
            _add(scribe, item)
    return scribe.conversation()


def _add(scribe: Scribe, item: Fields) -> None:
    kind = item.get("type", str) or "message"
    if kind == "message":
        _add_message(scribe, item)
    elif kind == "function_call":
        call = ToolCall(item.need("call_id", str), item.need("name", str), item.get("arguments", str) or "{}")
        scribe.assistant([call], further=True)
    elif kind == "function_call_output":
        scribe.result(item.need("call_id", str), content(item, "output", images=True))
    # What an agent thought is its own: what was told of it is not given back to a model.
    elif kind != "reasoning":
        raise item.wrong("type", f'"{kind}" is not taken here', "unsupported_value")


def _add_message(scribe: Scribe, item: Fields) -> None:
    role = item.need("role", str)
    if role in ("system", "developer"):
        scribe.instruct(text(item, "content"))
    elif role == "user":
        scribe.user(content(item, "content", images=True))
    elif role == "assistant":
        scribe.assistant(content(item, "content"), further=True)
    else:
        raise item.wrong("role", f'"{role}" is not taken here', "unsupported_value")


def _echo(fields: Fields, model: str, aim: Target, wished: Wishes, tools: Toolset) -> Echo:
    thinking = fields.object("reasoning")
    summary = thinking.any("summary", Literal["auto", "concise", "detailed"]) if thinking else None
    said: dict[str, Any] = {
        "instructions": fields.get("instructions", str),
        "tool_choice": fields.value("tool_choice"),
        "truncation": fields.any("truncation", Literal["auto", "disabled"]),
        "top_p": wished.top_p,
        "temperature": wished.temperature,
        "max_output_tokens": wished.max_tokens,
        "max_tool_calls": fields.any("max_tool_calls", Count),
        "metadata": fields.any("metadata", Metadata),
        "safety_identifier": fields.get("safety_identifier", str),
        "prompt_cache_key": fields.get("prompt_cache_key", str),
    }
    return Echo(
        model=model,
        conversation=Kept(aim.kept) if aim.kept else None,
        tools=tools.functions,
        parallel_tool_calls=wished.parallel_tools,
        text=_text_options(fields.object("text")),
        reasoning=Thinking(wished.reasoning or None, summary),
        **{name: value for name, value in said.items() if value is not None},
    )


def _text_options(options: Fields | None) -> TextOptions:
    if options is None:
        return TextOptions()
    verbosity = options.any("verbosity", Literal["low", "medium", "high"])
    format = options.object("format")
    if format is None or (kind := format.need("type", str)) != "json_schema":
        told = Format() if format is None else Format(kind)
    else:
        told = Format(
            kind,
            format.get("name", str) or "answer",
            format.get("description", str),
            format.need("schema", dict[str, Any]),
            format.flag("strict", default=False),
        )
    return TextOptions(told, verbosity) if verbosity else TextOptions(told)
