"""Runs turns with the OpenAI Agents SDK: an agent and a run for each conversation, without a session store.

With one agent for all, each run would look through all others at each step: 3,000 turns take 32 ms of CPU each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled

from client import open_sdk
from turns import MODEL, QUESTION, Clock, Turn, main


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open an agent; without tracing, which would send requests of its own."""
    set_tracing_disabled(True)
    async with open_sdk(url) as sdk:
        model = OpenAIChatCompletionsModel(MODEL, openai_client=sdk)
        agent = Agent("helper", model=model, tools=[function_tool(clock)])

        async def turn(number: int) -> object:
            result = await Runner.run(agent.clone(), QUESTION)
            return result.final_output

        yield turn


if __name__ == "__main__":
    main(open_runner)
