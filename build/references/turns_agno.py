"""Runs turns with agno: one agent, a session for each conversation, without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agno.agent import Agent
from agno.models.openai import OpenAIChat

from client import open_sdk
from turns import MODEL, QUESTION, Clock, Turn, main


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open an agent; without telemetry, which would send a request for each run."""
    async with open_sdk(url) as sdk:
        agent = Agent(model=OpenAIChat(id=MODEL, async_client=sdk), tools=[clock], telemetry=False)

        async def turn(number: int) -> object:
            result = await agent.arun(QUESTION, session_id=str(number))
            return result.content

        yield turn


if __name__ == "__main__":
    main(open_runner)
