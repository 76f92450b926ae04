"""Passes messages between steps of a workflow in agno, where agents have no other way to reach each other."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agno.agent import Agent
from agno.models.message import Message
from agno.models.openai import OpenAIChat
from agno.run.agent import RunOutput
from agno.session.agent import AgentSession
from agno.workflow import Step, StepInput, StepOutput, Workflow

from messages import HOPS, Arrive, Chain, main, words


@asynccontextmanager
async def open_chain(arrive: Arrive) -> AsyncIterator[Chain]:
    """Open a workflow of as many steps as a chain has messages; without telemetry, which would send requests."""

    async def hear(step: StepInput) -> StepOutput:
        return StepOutput(content=str(arrive(int(step.previous_step_content or step.input))))

    steps = [Step(name=f"agent{number}", executor=hear) for number in range(HOPS)]
    workflow = Workflow(name="chain", steps=steps, telemetry=False)

    async def chain(number: int) -> object:
        return await workflow.arun(str(time.monotonic_ns()), session_id=str(number))

    yield chain


async def fill(count: int) -> object:
    """Make idle agents, each with a session of its own."""
    model = OpenAIChat(id="none", api_key="none")
    return [
        (
            Agent(id=str(number), model=model, telemetry=False),
            AgentSession(
                str(number), runs=[RunOutput(messages=[Message(role="user", content=text) for text in words()])]
            ),
        )
        for number in range(count)
    ]


if __name__ == "__main__":
    main(open_chain, fill)
