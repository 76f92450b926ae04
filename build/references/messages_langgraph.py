"""Passes messages between agents in LangGraph: the nodes of a graph, which it runs one after the other."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph

from messages import HOPS, Arrive, Chain, main, words


class Hop(TypedDict):
    sent: int


@asynccontextmanager
async def open_chain(arrive: Arrive) -> AsyncIterator[Chain]:
    """Open a graph of as many nodes as a chain has messages."""

    async def hear(state: Hop) -> Hop:
        return {"sent": arrive(state["sent"])}

    graph = StateGraph(Hop).add_sequence([(f"agent{number}", hear) for number in range(HOPS)])
    graph.set_entry_point("agent0")
    compiled = graph.compile()

    async def chain(number: int) -> object:
        return await compiled.ainvoke({"sent": time.monotonic_ns()})

    yield chain


async def fill(count: int) -> object:
    """Make idle conversations, which the checkpoints in memory keep."""

    async def remember(state: MessagesState) -> MessagesState:
        return {"messages": [HumanMessage(text) for text in words()]}

    graph = StateGraph(MessagesState).add_node("agent", remember).set_entry_point("agent")
    compiled = graph.compile(checkpointer=InMemorySaver())
    for number in range(count):
        config = RunnableConfig(configurable={"thread_id": str(number)})
        await compiled.ainvoke({"messages": []}, config)
    return compiled


if __name__ == "__main__":
    main(open_chain, fill)
