"""Agents that stand for the tools which the conformance suite of the Model Context Protocol asks for by name."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import anyio

from clawmesh import Agent, Context, Image, Message, Text

DOT = base64.b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


async def simple(context: Context, message: Message) -> str:
    return "This is a simple text response for testing."


async def picture(context: Context, message: Message) -> Message:
    return Message("assistant", (Image("image/png", DOT),))


async def fails(context: Context, message: Message) -> str:
    raise RuntimeError("This tool intentionally returns an error for testing")


async def steps(context: Context, message: Message) -> str:
    for step in ("one ", "two ", "three"):
        context.emit(Text(step))
        await anyio.sleep(0.15)
    return "one two three"


def register_agents() -> Mapping[str, Agent]:
    return {"simple": simple, "picture": picture, "fails": fails, "steps": steps}
