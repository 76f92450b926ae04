"""A plugin for proofs: tools and a model whose every deed is noted in a ledger, and an agent written as code.

What they are told is a plan: the JSON of a `Plan` as the text of a message. The model works off its steps, then says
what came of them, and which plans it remembers of this session.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from clawmesh import (
    Context,
    Effect,
    Emit,
    Message,
    Reply,
    Request,
    Services,
    ToolCall,
    ToolError,
    ToolResult,
    ToolSpec,
    Usage,
    Verbs,
)
from clawmesh.errors import ClawmeshError, UnreachableError

PARAMETERS = {
    "type": "object",
    "properties": {"item": {"type": "string"}},
    "required": ["item"],
    "additionalProperties": False,
}


class Action(Struct, frozen=True):
    """One tool call."""

    tool: str
    arguments: Mapping[str, Any]


class Plan(Struct, frozen=True):
    """The tool calls of each step, side by side; `name` tells this plan from all others.

    An `item` is named after the session that has the plan, so that it is one of its kind.
    """

    name: str
    steps: tuple[tuple[Action, ...], ...] = ()

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


class Account(Struct, frozen=True):
    """What the model says in the end; `seen` are the plans that this session has answered before."""

    name: str
    seen: tuple[str, ...]
    results: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


Note: TypeAlias = Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
"""Notes an effect: its key, name and arguments."""


class Deed:
    """A tool that does nothing but have its effect noted."""

    def __init__(self, name: str, effect: Effect, note: Note) -> None:
        self.spec = ToolSpec(name, f"Do what {name} means.", PARAMETERS, effect)
        self._note = note

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        await self._note(context.key, self.spec.name, arguments)
        return f"{self.spec.name} {arguments['item']}"


class Planner:
    """A model that follows the plan; each time it is asked is noted as `model`, by the plan's name and the step."""

    def __init__(self, note: Note) -> None:
        self._note = note

    async def complete(self, request: Request, emit: Emit) -> Reply:
        plans = [index for index, message in enumerate(request.messages) if message.role == "user"]
        exchange = request.messages[plans[-1] :]
        plan = read(exchange[0])
        done = sum(message.role == "assistant" for message in exchange)
        await self._note(f"{plan.name}#{done}", "model", {"session": request.session})
        if done < len(plan.steps):
            actions = [_addressed(action, request.session) for action in plan.steps[done]]
            calls = [
                ToolCall(f"{plan.name}.{done}.{index}", action.tool, msgspec.json.encode(action.arguments).decode())
                for index, action in enumerate(actions)
            ]
            return _said(Message("assistant", tuple(calls)), emit)
        seen = tuple(read(request.messages[index]).name for index in plans[:-1])
        account = Account(plan.name, seen, tuple(_results(message) for message in exchange if message.role == "tool"))
        return _said(Message.assistant(account.text), emit)


async def clerk(context: Context, message: Message) -> str:
    """Follow the verbs of a plan, one after the other; deeds are for others."""
    plan = read(message)
    results = []
    for step in plan.steps:
        results.append(tuple([await _attempt(context.mesh, action) for action in step]))
    return Account(plan.name, (), tuple(results)).text


async def _attempt(mesh: Verbs, action: Action) -> str:
    if "message" not in action.arguments:
        return f"failed: a clerk has no {action.tool}"
    try:
        return await _done(mesh, action.tool, dict(action.arguments))
    except ClawmeshError as error:
        return f"failed: {error}"


async def _done(mesh: Verbs, verb: str, arguments: dict[str, Any]) -> str:
    message = arguments["message"]
    if verb == "ask_agent":
        return (await mesh.ask(arguments["agent"], message)).text
    if verb == "send_agent":
        return f"sent ({await mesh.send(arguments['agent'], message)})"
    if verb == "publish":
        return f"published to {await mesh.publish(arguments['topic'], message)} agents"
    answers = await mesh.gather(arguments["agents"], message, mode=arguments["mode"])
    return "\n\n".join(f"{answer.address}: {answer.message.text if answer.message else 'none'}" for answer in answers)


def read(message: Message) -> Plan:
    """Return the plan that a message holds."""
    return msgspec.json.decode(message.text, type=Plan)


def _addressed(action: Action, session: str) -> Action:
    """Return an action that no other session takes: a plan may go to several."""
    if item := action.arguments.get("item"):
        return Action(action.tool, {"item": f"{item}@{session}"})
    return action


def _results(message: Message) -> tuple[str, ...]:
    return tuple(
        f"failed: {part.text}" if part.failed else part.text for part in message.parts if isinstance(part, ToolResult)
    )


def _said(message: Message, emit: Emit) -> Reply:
    for part in message.parts:
        emit(part)
    usage = Usage(input_tokens=1, output_tokens=1, total_tokens=2)
    return Reply(message=message, stop="tool_calls" if message.calls else "end", usage=usage, model="planner")


def posting(ledger: str) -> Note:
    """Return what notes effects in the ledger at this URL."""
    place = urlsplit(ledger)

    async def note(key: str, name: str, arguments: Mapping[str, Any]) -> None:
        body = msgspec.json.encode({"key": key, "name": name, "arguments": arguments})
        head = f"POST /effect HTTP/1.1\r\nhost: ledger\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                writer.write(head.encode() + body)
                answer = await reader.read()
            finally:
                writer.close()
        except OSError as error:
            raise ToolError(f"the ledger cannot be reached: {error}") from error
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise ToolError(f"the ledger said {answer[:40]!r}")

    return note


class Charge(Deed):
    """Takes money: never twice."""

    def __init__(self, *, ledger: str) -> None:
        super().__init__("charge", Effect.UNSAFE, posting(ledger))


class Book(Deed):
    """Reserves a seat: again with the same key is the same seat."""

    def __init__(self, *, ledger: str) -> None:
        super().__init__("book", Effect.IDEMPOTENT, posting(ledger))


class Look(Deed):
    """Looks, which changes nothing."""

    def __init__(self, *, ledger: str) -> None:
        super().__init__("look", Effect.PURE, posting(ledger))


class Poison(Deed):
    """Ends the process that calls it, each time."""

    def __init__(self, *, ledger: str) -> None:
        super().__init__("poison", Effect.PURE, posting(ledger))

    async def call(self, context: Context, arguments: Mapping[str, Any]) -> str:
        await super().call(context, arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        return ""


def planner(_services: Services, /, *, ledger: str) -> Planner:
    """Follow plans; what it costs is noted in the ledger at this URL."""
    note = posting(ledger)

    async def paid(key: str, name: str, arguments: Mapping[str, Any]) -> None:
        try:
            await note(key, name, arguments)
        except ToolError as error:
            raise UnreachableError(str(error)) from error

    return Planner(paid)


def register_tools() -> Mapping[str, Any]:
    """Offer the tools."""
    return {"charge": Charge, "book": Book, "look": Look, "poison": Poison}


def register_backends() -> Mapping[str, Any]:
    """Offer the model."""
    return {"planner": planner}


def register_agents() -> Mapping[str, Any]:
    """Offer the agent written as code."""
    return {"clerk": clerk}
