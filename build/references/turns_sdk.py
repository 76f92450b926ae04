"""Runs turns with the OpenAI SDK alone, which is what the frameworks build on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from client import open_sdk
from turns import MODEL, QUESTION, Clock, Turn, main

TOOL: Any = {"type": "function", "function": {"name": "clock", "description": "Tell what time it is."}}


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open the SDK."""
    async with open_sdk(url) as sdk:

        async def turn(number: int) -> object:
            messages: list[Any] = [{"role": "user", "content": QUESTION}]
            while True:
                answer = await sdk.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL])
                message = answer.choices[0].message
                if not message.tool_calls:
                    return message.content
                messages.append(message)
                for call in message.tool_calls:
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": await clock()})

        yield turn


if __name__ == "__main__":
    main(open_runner)
