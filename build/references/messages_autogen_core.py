"""Passes messages between agents of autogen-core, each of which sends on what it hears."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler
from autogen_core.models import UserMessage

from messages import AGENTS, HOPS, Arrive, Chain, main, words


@dataclass
class Hop:
    left: int
    sent: int


class Relay(RoutedAgent):
    """Sends what it hears to the agent with the next number."""

    def __init__(self, arrive: Arrive) -> None:
        super().__init__("relay")
        self._arrive = arrive
        self._next = AgentId("relay", str((int(self.id.key) + 1) % AGENTS))

    @message_handler
    async def hear(self, message: Hop, context: MessageContext) -> None:
        now = self._arrive(message.sent)
        if message.left > 1:
            await self.send_message(Hop(message.left - 1, now), self._next)


class Idle(RoutedAgent):
    """Remembers a conversation."""

    def __init__(self) -> None:
        super().__init__("idle")
        self._messages = [UserMessage(content=text, source="user") for text in words()]

    @message_handler
    async def hear(self, message: Hop, context: MessageContext) -> None:
        """Do nothing: the first message makes the agent."""


@asynccontextmanager
async def open_chain(arrive: Arrive) -> AsyncIterator[Chain]:
    """Open a runtime."""
    runtime = SingleThreadedAgentRuntime()
    await Relay.register(runtime, "relay", lambda: Relay(arrive))
    runtime.start()

    async def chain(number: int) -> object:
        return await runtime.send_message(Hop(HOPS, time.monotonic_ns()), AgentId("relay", str(number % AGENTS)))

    yield chain
    await runtime.stop()


async def fill(count: int) -> object:
    """Make idle agents."""
    runtime = SingleThreadedAgentRuntime()
    await Idle.register(runtime, "idle", Idle)
    runtime.start()
    for number in range(count):
        await runtime.send_message(Hop(0, 0), AgentId("idle", str(number)))
    return runtime


if __name__ == "__main__":
    main(open_chain, fill)
