"""ClawMesh: thousands of AI agents that talk to each other, in one executable.

The names below are what plugins may rely on. They load on first use, so that `import clawmesh` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it for true; importing typing would double the time of --version

if TYPE_CHECKING:
    from clawmesh.abc.agent import Agent
    from clawmesh.abc.backend import Backend, Reply, Request, Stop
    from clawmesh.abc.context import Answer, Context, Services, Verbs
    from clawmesh.abc.memory import Fact, Memory
    from clawmesh.abc.tool import Effect, Tool, ToolSpec, tool
    from clawmesh.config.mark import Duration
    from clawmesh.errors import ArgumentError, BackendError, ClawmeshError, RefusedError, ToolError
    from clawmesh.hookspecs import hookimpl
    from clawmesh.messages import (
        Emit,
        Image,
        Message,
        Opaque,
        Part,
        Piece,
        Reasoning,
        Retraction,
        Text,
        ToolCall,
        ToolResult,
        Usage,
    )
    from clawmesh.secret import Secret

__all__ = [
    "Agent",
    "Answer",
    "ArgumentError",
    "Backend",
    "BackendError",
    "ClawmeshError",
    "Context",
    "Duration",
    "Effect",
    "Emit",
    "Fact",
    "Image",
    "Memory",
    "Message",
    "Opaque",
    "Part",
    "Piece",
    "Reasoning",
    "RefusedError",
    "Reply",
    "Request",
    "Retraction",
    "Secret",
    "Services",
    "Stop",
    "Text",
    "Tool",
    "ToolCall",
    "ToolError",
    "ToolResult",
    "ToolSpec",
    "Usage",
    "Verbs",
    "hookimpl",
    "tool",
]

_HOMES = {
    "clawmesh.abc.agent": ("Agent",),
    "clawmesh.abc.backend": ("Backend", "Reply", "Request", "Stop"),
    "clawmesh.abc.context": ("Answer", "Context", "Services", "Verbs"),
    "clawmesh.abc.memory": ("Fact", "Memory"),
    "clawmesh.secret": ("Secret",),
    "clawmesh.abc.tool": ("Effect", "Tool", "ToolSpec", "tool"),
    "clawmesh.config.mark": ("Duration",),
    "clawmesh.errors": ("ArgumentError", "BackendError", "ClawmeshError", "RefusedError", "ToolError"),
    "clawmesh.hookspecs": ("hookimpl",),
    "clawmesh.messages": (
        "Emit",
        "Image",
        "Message",
        "Opaque",
        "Part",
        "Piece",
        "Reasoning",
        "Retraction",
        "Text",
        "ToolCall",
        "ToolResult",
        "Usage",
    ),
}


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'clawmesh' has no attribute {name!r}")
