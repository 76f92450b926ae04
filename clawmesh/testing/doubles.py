"""A clock, ids and backends that do what a test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

import anyio

from clawmesh.abc.backend import Reply, Request
from clawmesh.ids import Ids
from clawmesh.messages import Emit, Message, Text, ToolCall, Usage

Line: TypeAlias = Reply | Exception | Callable[[Request], Reply]


class ManualClock:
    """Shows the time that the test sets; `advance` moves both clocks on."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds


def seeded_ids(seed: int = 0) -> Ids:
    """Return ids that are the same in every run."""
    return Ids(ManualClock(), random.Random(seed))  # noqa: S311 - repeatable on purpose


class RehearsedBackend:
    """Answers with the given lines, one a call; `requests` keeps what it was asked.

    A line is a reply, an error to raise, or a function from the request to a reply.
    """

    def __init__(self, *lines: Line) -> None:
        self._lines = list(lines)
        self.requests: list[Request] = []

    async def complete(self, request: Request, emit: Emit) -> Reply:
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        line = self._lines.pop(0)
        if isinstance(line, Exception):
            raise line
        reply = line if isinstance(line, Reply) else line(request)
        for part in reply.message.parts:
            emit(part)
        return reply


class StuckBackend:
    """Never answers; `started` is set when it is called, `left` when its call is cancelled."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.left = anyio.Event()

    async def complete(self, request: Request, emit: Emit) -> Reply:
        self.started.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.left.set()
        raise AssertionError("unreachable")


def said(text: str, *, tokens: int = 1) -> Reply:
    """Return a reply of plain text."""
    usage = Usage(input_tokens=tokens, output_tokens=tokens, total_tokens=2 * tokens)
    return Reply(message=Message("assistant", (Text(text),)), stop="end", usage=usage, model="rehearsed")


def called(*calls: ToolCall, text: str = "", tokens: int = 1) -> Reply:
    """Return a reply that calls tools."""
    parts: Sequence[Text | ToolCall] = (*([Text(text)] if text else []), *calls)
    usage = Usage(input_tokens=tokens, output_tokens=tokens, total_tokens=2 * tokens)
    return Reply(message=Message("assistant", tuple(parts)), stop="tool_calls", usage=usage, model="rehearsed")
