"""The seam for agents written as code."""

from __future__ import annotations

from typing import Protocol

from clawmesh.abc.context import Context
from clawmesh.messages import Message


class Agent(Protocol):
    """An ordinary coroutine function; its keyword-only parameters are its configuration in TOML."""

    async def __call__(self, context: Context, message: Message, /) -> Message | str:
        """Handle one message and return the answer; `context.mesh` reaches other agents."""
