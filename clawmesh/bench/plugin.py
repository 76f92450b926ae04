"""The agents and tools that the bench talks to: a plugin file like anyone's."""

from __future__ import annotations

NAME = "bench"

PLUGIN = '''"""Agents and tools that do next to nothing, so that what is measured is the mesh."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from clawmesh import Agent, Context, Effect, Message, Text, ToolSpec, tool


async def relay(context: Context, message: Message, *, sessions: int = 1) -> str:
    """Say that it began, and pass the message on until its hops are used up."""
    context.emit(Text(""))
    hops = int(message.text) - 1
    if hops:
        number = int(context.address.rpartition("s")[2])
        await context.mesh.send(f"relay/s{(number * 7919 + hops) % sessions}", str(hops))
    return ""


async def asker(context: Context, message: Message) -> str:
    """Ask a peer, and tell how many nanoseconds that took."""
    began = time.monotonic_ns()
    await context.mesh.ask(message.text, "?")
    context.emit(Text(str(time.monotonic_ns() - began)))
    return ""


async def ticker(context: Context, message: Message) -> str:
    """Tell every second the moment, in nanoseconds of the clock that all processes share, as often as asked."""
    for _ in range(int(message.text)):
        context.emit(Text(str(time.monotonic_ns())))
        await anyio.sleep(1)
    return ""


async def flood(context: Context, message: Message) -> str:
    """Say as many times 64 KB as asked."""
    piece = Text("water " * 10_922)
    for _ in range(int(message.text)):
        context.emit(piece)
        await anyio.sleep(0.01)
    return ""


async def echo(context: Context, message: Message) -> Message:
    """Say again what was said."""
    return message


async def publisher(context: Context, message: Message) -> str:
    """Publish the message under its own words as topic; answer how many receive it."""
    return str(await context.mesh.publish(message.text, message))


async def burner(context: Context, message: Message) -> str:
    """Compute for as long as it takes."""
    return str(sum(number * number for number in range(int(message.text))))


@tool(effect="pure")
async def look() -> str:
    """Look something up."""
    return "found"


class Held:
    """A tool that returns at once, or never."""

    def __init__(self, *, hold: bool = False) -> None:
        self._hold = hold
        parameters = {"type": "object", "properties": {}, "additionalProperties": False}
        self.spec = ToolSpec("held", "Wait for what is to come.", parameters, Effect.PURE)

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        if self._hold:
            await anyio.sleep_forever()
        return "done"


def register_agents() -> Mapping[str, Agent]:
    """Offer the agents by their names."""
    return {
        "relay": relay,
        "asker": asker,
        "ticker": ticker,
        "flood": flood,
        "echo": echo,
        "publisher": publisher,
        "burner": burner,
    }


def register_tools() -> Mapping[str, Callable[..., Any]]:
    """Offer the tools by their names."""
    return {"look": look, "held": Held}
'''
