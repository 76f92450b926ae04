"""First lines of a plugin: small, whole and working, to be changed into what is wanted."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from keyword import iskeyword

from clawmesh.plugin.registration import RESERVED, Kind

_HEAD = '''"""NAME: {what}

Try it with `clawmesh plugins check NAME`. A changed file does not run before `clawmesh plugins trust NAME`.
"""

# Does it need packages? Name them in a block like this one, indented by nothing, and run
# `clawmesh plugins install NAME`:
#
#     # /// script
#     # dependencies = ["humanize>=4"]
#     # ///

from __future__ import annotations

'''

_TOOL = (
    _HEAD.format(what="a tool that agents can call.")
    + '''from collections.abc import Callable, Mapping
from typing import Any, Literal

from clawmesh import ToolError, tool


# The docstring tells the model when to call this, hints and `Args:` what to give. The effect says what a second call
# does: "pure" (nothing), "idempotent" (the same once more), "unsafe" (the default: it is never made on its own).
@tool(effect="pure")
def NAME(name: str, tone: Literal["warm", "plain"] = "warm") -> str:
    """Greet a person.

    Args:
        name: whom to greet
        tone: how friendly the greeting is
    """
    if not name.strip():
        raise ToolError("there is nobody to greet: the name is empty")  # the model reads this, and may try again
    return f"Hello, {name}, how good to see you!" if tone == "warm" else f"Hello, {name}."


def register_tools() -> Mapping[str, Callable[..., Any]]:
    """Offer the tool under the name by which agents list it: tools = ["NAME"]."""
    return {"NAME": NAME}


EXAMPLES = [
    {"tool": "NAME", "arguments": {"name": "Ada", "tone": "plain"}, "result": "Hello, Ada."},
    {"tool": "NAME", "arguments": {"name": "Ada"}, "contains": "good to see you"},
    {"tool": "NAME", "arguments": {"name": " "}, "error": "nobody to greet"},
]
'''
)

_AGENT = (
    _HEAD.format(what="an agent written as code.")
    + '''from collections.abc import Mapping

from clawmesh import Agent, Context, Message


# In TOML: [agents.anna] with type = "NAME"; the parameters after the star are the other keys of that table.
# `await context.mesh.ask("writer", "...")` asks another agent, if it is one of `peers`.
async def NAME(context: Context, message: Message, *, loud: bool = False) -> str:
    """Say again what was said."""
    return message.text.upper() if loud else message.text


def register_agents() -> Mapping[str, Agent]:
    """Offer the agent under the name of its type."""
    return {"NAME": NAME}


EXAMPLES = [
    {"agent": "NAME", "message": "hello", "result": "hello"},
    {"agent": "NAME", "message": "hello", "config": {"loud": True}, "result": "HELLO"},
]
'''
)

_BACKEND = (
    _HEAD.format(what="a backend, which is a way to reach a model.")
    + '''from collections.abc import Callable, Mapping

from clawmesh import Backend, Emit, Message, Reply, Request, Services, Text, Usage


class Echo:
    """Answers with what it was asked."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    async def complete(self, request: Request, emit: Emit) -> Reply:
        text = self._prefix + request.messages[-1].text
        emit(Text(text))  # a real backend emits pieces as they arrive
        return Reply(message=Message.assistant(text), stop="end", usage=Usage(), model=request.model)


# In TOML: [backends.mine] with type = "NAME"; the parameters after the star are the other keys of that table.
# `services` has an HTTP client, a clock, ids and randomness; leave it out if you need none of them.
def NAME(services: Services, /, *, prefix: str = "") -> Backend:
    """Repeat what was said, after `prefix`."""
    return Echo(prefix)


def register_backends() -> Mapping[str, Callable[..., Backend]]:
    """Offer the backend under the name of its type."""
    return {"NAME": NAME}
'''
)

_MEMORY = (
    _HEAD.format(what="a memory, which keeps facts for agents.")
    + '''from collections.abc import Callable, Mapping, Sequence

from clawmesh import Fact, Memory, Services


class Newest:
    """Keeps the newest facts in RAM, and recalls those that contain the words asked for."""

    def __init__(self, services: Services, most: int) -> None:
        self._services = services
        self._most = most
        self._facts: list[Fact] = []

    async def remember(self, scope: str, text: str) -> Fact:
        fact = Fact(self._services.ids.new("fact"), scope, text, self._services.clock.now())
        self._facts = [fact, *self._facts][: self._most]
        return fact

    async def recall(self, scope: str, query: str, limit: int) -> Sequence[Fact]:
        fitting = [fact for fact in self._facts if fact.scope == scope and query.lower() in fact.text.lower()]
        return fitting[:limit]

    async def forget(self, scope: str, id: str) -> bool:
        before = len(self._facts)
        self._facts = [fact for fact in self._facts if (fact.scope, fact.id) != (scope, id)]
        return len(self._facts) < before


# In TOML: [memories.mine] with type = "NAME"; the parameters after the star are the other keys of that table.
def NAME(services: Services, /, *, most: int = 1000) -> Memory:
    """Keep the newest `most` facts until the program ends."""
    return Newest(services, most)


def register_memories() -> Mapping[str, Callable[..., Memory]]:
    """Offer the memory under the name of its type."""
    return {"NAME": NAME}
'''
)

_TEMPLATES: Mapping[Kind, str] = {"tool": _TOOL, "agent": _AGENT, "backend": _BACKEND, "memory": _MEMORY}
_USES: Mapping[Kind, str] = {
    "tool": 'tools = ["NAME"]',
    "agent": '[agents.anna]\ntype = "NAME"',
    "backend": '[backends.mine]\ntype = "NAME"',
    "memory": '[memories.mine]\ntype = "NAME"',
}


def template(kind: Kind, name: str) -> str:
    """Return the text of a new plugin."""
    return _TEMPLATES[kind].replace("NAME", name)


def fits(kind: Kind, name: str) -> bool:
    """Tell whether the text works with this name: it must not hide what the text itself uses, nor a tool of ours."""
    used = {word for line in _TEMPLATES[kind].splitlines() if "import" in line for word in re.findall(r"\w+", line)}
    return name.isidentifier() and not (
        name.startswith("_") or iskeyword(name) or name in {*used, *RESERVED.get(kind, ()), *dir(builtins)}
    )


def use(kind: Kind, name: str) -> str:
    """Return what the configuration says to use it."""
    return _USES[kind].replace("NAME", name)
