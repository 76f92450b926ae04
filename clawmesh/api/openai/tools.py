"""The caller's tools, and whether the model must use them.

Source: OpenAI API reference, "Create chat completion" and "Create a model response" (`tools`, `tool_choice`). The two
differ in that a chat completion puts what it says of a function into a member `function`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from clawmesh.abc.tool import ToolSpec
from clawmesh.api.openai.fields import Fields
from clawmesh.config.model import AgentConfig

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NOTHING = {"type": "object", "properties": {}}
TOOLS = 128
Choice: TypeAlias = Literal["auto", "none", "required"]


class Function(Struct, frozen=True):
    """A tool as a response shows it again."""

    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None
    type: Literal["function"] = "function"


class Toolset(Struct, frozen=True):
    """The tools of a caller which the model may call in this turn, and whether it must."""

    functions: tuple[Function, ...] = ()
    choice: Choice = "auto"

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(
            ToolSpec(function.name, function.description or "", function.parameters or NOTHING)
            for function in self.functions
        )


def own_tools(agent: AgentConfig) -> bool:
    """Whether an agent has tools besides those of a caller."""
    return bool(agent.tools or agent.peers or agent.topics or agent.memory)


def toolset(fields: Fields, agent: AgentConfig) -> Toolset:
    """Read `tools` and `tool_choice`.

    A model that must call a certain tool gets no other, which only an agent without tools of its own can promise. One
    that must call none does not see the caller's; an agent's own are its own matter.

    Raises:
        Rejection: a tool is no function, or the choice cannot be kept.
    """
    functions = _functions(fields)
    choice, only = _choice(fields)
    for name in only or ():
        if name not in {function.name for function in functions}:
            raise fields.wrong("tool_choice", f'names "{name}", which is none of the tools')
    if only is not None:
        functions = tuple(function for function in functions if function.name in only)
    if choice == "required" and not functions:
        raise fields.wrong("tool_choice", "demands a call, and there are no tools")
    if choice == "required" and own_tools(agent):
        raise fields.wrong(
            "tool_choice", f'cannot demand a call of yours: "{agent.name}" has tools of its own', "unsupported_value"
        )
    if choice == "none" and own_tools(agent):
        return Toolset()
    return Toolset(functions, choice if functions else "auto")


def _functions(fields: Fields) -> tuple[Function, ...]:
    functions: dict[str, Function] = {}
    tools = fields.objects("tools")
    if len(tools) > TOOLS:
        raise fields.wrong("tools", f"are more than {TOOLS}")
    for tool in tools:
        if (kind := tool.need("type", str)) != "function":
            raise tool.wrong("type", f'"{kind}" is not offered here: only functions are', "unsupported_value")
        about = tool.object("function") or tool
        function = Function(
            about.need("name", str),
            about.get("description", str),
            about.get("parameters", dict[str, Any]),
            about.get("strict", bool),
        )
        if not NAME.fullmatch(function.name):
            raise about.wrong("name", "is no name of a function: expected 1 to 64 letters, digits, _ and -")
        if function.name in functions:
            raise about.wrong("name", f'"{function.name}" is there twice')
        functions[function.name] = function
    return tuple(functions.values())


def _choice(fields: Fields) -> tuple[Choice, Sequence[str] | None]:
    """Return the choice, and the names of the only tools to choose from, if not all are."""
    if not isinstance(fields.value("tool_choice"), dict):
        return fields.any("tool_choice", Choice) or "auto", None
    choice = Fields(fields.value("tool_choice"), fields.place("tool_choice"))
    kind = choice.need("type", str)
    if kind == "function":
        return "required", (_name(choice),)
    if kind != "allowed_tools":
        raise choice.wrong("type", f'"{kind}" is not offered here', "unsupported_value")
    allowed = choice.object("allowed_tools") or choice
    mode: Choice = allowed.any("mode", Literal["auto", "required"]) or "auto"
    return mode, [_name(tool) for tool in allowed.objects("tools")]


def _name(fields: Fields) -> str:
    return (fields.object("function") or fields).need("name", str)
