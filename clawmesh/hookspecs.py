"""What a plugin file may define: pluggy hooks, called once at start, each returning a mapping.

A key of the mapping is the `type` in TOML; the keyword-only parameters of its callable are the other keys of that
table, so the signature is the configuration schema. A positional-only parameter receives `Services`.
A module-level function named as a hook is one: marking it with `@hookimpl` is allowed and not needed.

The hooks `before_...` and `after_...` are called around every model and tool call, on the event loop: they must be
quick. What a `before_...` hook guards does not happen if the hook fails; an `after_...` hook that fails is reported
and changes nothing, unless its module says `GUARD = True`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pluggy

from clawmesh.abc.agent import Agent
from clawmesh.abc.backend import Backend, Reply, Request
from clawmesh.abc.context import Context
from clawmesh.abc.memory import Memory
from clawmesh.messages import ToolCall, ToolResult

PROJECT = "clawmesh"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_backends() -> Mapping[str, Callable[..., Backend]]:  # type: ignore[empty-body]
    """Offer backends: ways to reach a model."""


@hookspec
def register_tools() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Offer tools: plain functions, or classes whose instances are tools and whose signature is configuration."""


@hookspec
def register_memories() -> Mapping[str, Callable[..., Memory]]:  # type: ignore[empty-body]
    """Offer memory stores."""


@hookspec
def register_agents() -> Mapping[str, Agent]:  # type: ignore[empty-body]
    """Offer agents written as code."""


@hookspec
def before_model(agent: str, request: Request) -> Request | None:
    """Observe a model call, change it by returning another request, or refuse it by raising `RefusedError`."""


@hookspec
def after_model(agent: str, request: Request, reply: Reply) -> Reply | None:
    """Observe a model's reply, change it by returning another, or refuse it by raising `RefusedError`."""


@hookspec
def before_tool(context: Context, call: ToolCall) -> ToolCall | None:
    """Observe a tool call, change it by returning another, or refuse it by raising `RefusedError`."""


@hookspec
def after_tool(context: Context, call: ToolCall, result: ToolResult) -> ToolResult | None:
    """Observe a tool's result, change it by returning another, or refuse it by raising `RefusedError`."""
