"""Reads requests for chat completions.

Source: OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from clawmesh.api.openai.caller import Caller, Target, target
from clawmesh.api.openai.content import content, text
from clawmesh.api.openai.conversation import Conversation, Scribe
from clawmesh.api.openai.exchange import Order
from clawmesh.api.openai.fields import Fields
from clawmesh.api.openai.tools import toolset
from clawmesh.api.openai.wishes import REFUSED, Count, Effort, check_coded, schema, wishes
from clawmesh.config.model import AgentConfig
from clawmesh.ids import Ids
from clawmesh.messages import ToolCall

ONE = "must be 1: an agent gives one answer"
UNSPOKEN: Mapping[str, str] = {
    **REFUSED,
    "audio": "is not offered: agents do not speak",
    "functions": "is not offered any more: use tools",
    "function_call": "is not offered any more: use tool_choice",
    "web_search_options": "is not offered: an agent searches with tools of its own",
}


class ChatRequest(Struct, frozen=True):
    """A request that was read: what to ask, and how to tell the answer."""

    order: Order
    model: str
    kept: str
    stream: bool
    usage: bool


def read(body: bytes, caller: Caller, agents: Mapping[str, AgentConfig], ids: Ids) -> ChatRequest:
    """Read a request; raises Rejection where it cannot be done as it is meant."""
    fields = Fields.parse(body)
    model = fields.need("model", str)
    aim = target(caller, model, "", agents, ids)
    _check(fields)
    options = fields.object("stream_options")
    return ChatRequest(
        _order(fields, caller, aim),
        model,
        aim.kept,
        fields.flag("stream", default=False),
        options is not None and options.flag("include_usage", default=False),
    )


def _order(fields: Fields, caller: Caller, aim: Target) -> Order:
    format = schema(fields.object("response_format"), "json_schema")
    most = fields.any("max_completion_tokens", Count)
    message, wished = wishes(
        fields,
        _conversation(fields),
        toolset(fields, aim.agent),
        kept=bool(aim.kept),
        output_schema=format,
        max_tokens=most or fields.any("max_tokens", Count),
        reasoning=fields.any("reasoning_effort", Effort) or "",
    )
    check_coded(fields, aim.agent, wished)
    return Order.of(aim, caller, message, wished)


def _check(fields: Fields) -> None:
    fields.refuse(UNSPOKEN)
    if (fields.get("n", int) or 1) != 1:
        raise fields.wrong("n", ONE, "unsupported_value")
    if set(fields.get("modalities", list[str]) or ()) - {"text"}:
        raise fields.wrong("modalities", "may only be text", "unsupported_value")


def _conversation(fields: Fields) -> Conversation:
    fields.need("messages", list)
    scribe = Scribe("messages")
    for message in fields.objects("messages"):
        role = message.need("role", str)
        if role in ("system", "developer"):
            scribe.instruct(text(message, "content"))
        elif role == "user":
            scribe.user(content(message, "content", images=True))
        elif role == "assistant":
            spoken = content(message, "content") or content(message, "refusal")
            scribe.assistant([*spoken, *_calls(message)])
        elif role == "tool":
            scribe.result(message.need("tool_call_id", str), content(message, "content", images=True))
        else:
            raise message.wrong("role", f'"{role}" is not taken here', "unsupported_value")
    return scribe.conversation()


def _calls(message: Fields) -> Iterator[ToolCall]:
    for call in message.objects("tool_calls"):
        function = call.object("function")
        if function is None:
            raise call.wrong("function", "is required: only functions are offered", "unsupported_value")
        yield ToolCall(call.need("id", str), function.need("name", str), function.get("arguments", str) or "{}")
