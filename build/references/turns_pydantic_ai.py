"""Runs turns with Pydantic AI: one agent, a run for each conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from client import open_sdk
from turns import MODEL, QUESTION, Clock, Turn, main


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open an agent."""
    async with open_sdk(url) as sdk:
        agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=sdk)), tools=[clock])

        async def turn(number: int) -> object:
            result = await agent.run(QUESTION)
            return result.output

        yield turn


if __name__ == "__main__":
    main(open_runner)
