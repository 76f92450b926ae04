"""Runs turns with autogen-core: an agent in the runtime for each conversation, made by its first message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler, models
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import BaseOpenAIChatCompletionClient

from client import open_sdk
from turns import MODEL, QUESTION, Clock, Turn, main

INFO = models.ModelInfo(
    vision=False, function_calling=True, json_output=False, structured_output=False, family=models.ModelFamily.UNKNOWN
)


@dataclass
class Text:
    text: str


class Helper(RoutedAgent):
    """Asks the model, runs the tools that it calls, and asks again, until it answers."""

    def __init__(self, model: BaseOpenAIChatCompletionClient, tool: FunctionTool) -> None:
        super().__init__("helper")
        self._model = model
        self._tool = tool
        self._messages: list[models.LLMMessage] = []

    @message_handler
    async def answer(self, message: Text, context: MessageContext) -> Text:
        self._messages.append(models.UserMessage(content=message.text, source="user"))
        while True:
            result = await self._model.create(self._messages, tools=[self._tool])
            self._messages.append(models.AssistantMessage(content=result.content, source="helper"))
            if isinstance(result.content, str):
                return Text(result.content)
            done = [
                models.FunctionExecutionResult(
                    content=await self._tool.run_json({}, context.cancellation_token),
                    call_id=call.id,
                    name=call.name,
                    is_error=False,
                )
                for call in result.content
            ]
            self._messages.append(models.FunctionExecutionResultMessage(content=done))


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open a runtime."""
    async with open_sdk(url) as sdk:
        model = BaseOpenAIChatCompletionClient(sdk, create_args={"model": MODEL}, model_info=INFO)
        tool = FunctionTool(clock, "Tell what time it is.")
        runtime = SingleThreadedAgentRuntime()
        await Helper.register(runtime, "helper", lambda: Helper(model, tool))
        runtime.start()

        async def turn(number: int) -> object:
            answer = await runtime.send_message(Text(QUESTION), AgentId("helper", str(number)))
            return answer.text

        yield turn
        await runtime.stop()


if __name__ == "__main__":
    main(open_runner)
