"""Runs turns with LangGraph: one graph of a model and its tools, a run for each conversation, without checkpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import SecretStr

from client import open_http
from turns import MODEL, QUESTION, Clock, Turn, main


@asynccontextmanager
async def open_runner(url: str, clock: Clock) -> AsyncIterator[Turn]:
    """Open a graph."""
    async with open_http() as client:
        tool = StructuredTool.from_function(coroutine=clock)
        model = ChatOpenAI(
            model=MODEL, base_url=url, api_key=SecretStr("none"), http_async_client=client, max_retries=0, timeout=600
        ).bind_tools([tool])

        async def ask(state: MessagesState) -> MessagesState:
            return {"messages": [await model.ainvoke(state["messages"])]}

        builder = StateGraph(MessagesState)
        builder.add_node("model", ask)
        builder.add_node("tools", ToolNode([tool]))
        builder.add_edge(START, "model")
        builder.add_conditional_edges("model", tools_condition)
        builder.add_edge("tools", "model")
        graph = builder.compile()

        async def turn(number: int) -> object:
            state = await graph.ainvoke({"messages": [HumanMessage(QUESTION)]})
            return state["messages"][-1].content

        yield turn


if __name__ == "__main__":
    main(open_runner)
