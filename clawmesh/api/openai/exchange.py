"""One request on its way: the mesh is asked, and its answer written as it comes."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Protocol, TypeAlias

import anyio
from msgspec import Struct

from clawmesh.agent.turn import RUNNING
from clawmesh.api.openai.caller import Caller, Target
from clawmesh.api.openai.fault import Fault, failure_of, fault_of
from clawmesh.api.openai.feed import STEP, End, Feed, Said
from clawmesh.config.agents import LLM
from clawmesh.errors import ClawmeshError
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Outcome, Wishes
from clawmesh.messages import Emit, Message, Reasoning, Report, Text, ToolCall
from clawmesh.server.request import Send

MIB = 1024 * 1024
# What may wait for a client that reads a stream, and what an answer may be that is sent as a whole.
BEHIND, WHOLE = MIB, 32 * MIB
# Seconds of silence on a stream. Whoever stands between keeps a connection only while something comes.
QUIET = 15.0
ALIVE = b": still at work\n\n"


Left: TypeAlias = Callable[[Callable[[], None]], None]
"""Takes what is to be called when the client leaves: the extension `clawmesh.left` of an ASGI scope."""


class Mesh(Protocol):
    """What is asked: `clawmesh.mesh.engine.Engine`, or what stands for it."""

    async def begin(
        self,
        to: Address,
        message: Message,
        *,
        sender: str,
        seconds: float | None = None,
        emit: Emit | None = None,
        key: str = "",
        wishes: Wishes | None = None,
    ) -> Delivery: ...

    async def settled(self, delivery: Delivery, emit: Emit | None = None) -> Outcome: ...


class Order(Struct, frozen=True):
    """What is asked of whom. A `held` answer is sent when it is complete, on a stream too; `coded` is no model."""

    to: Address
    message: Message
    wishes: Wishes
    sender: str
    key: str = ""
    held: bool = False
    coded: bool = False

    @classmethod
    def of(cls, aim: Target, caller: Caller, message: Message, wishes: Wishes) -> Order:
        """Return an order that is held where its pieces may not be the answer.

        What has to fit a schema may be said a second time before it does; and what came before with the same key may
        be half said already, or all.
        """
        formed = wishes.output_schema is not None or aim.agent.output_schema is not None
        held, coded = formed or bool(caller.key), aim.agent.type != LLM
        return cls(aim.address, message, wishes, caller.token.name, caller.key, held, coded)


class Closing(Struct, frozen=True):
    """How an answer ended; `calls` are those that the caller is to make."""

    report: Report
    calls: tuple[ToolCall, ...]


class Writer(Protocol):
    """Writes an answer in one of the two protocols; each method returns what is to be sent at once."""

    def begin(self, envelope: str) -> bytes:
        """Begin the answer to the message with this id."""

    def text(self, text: str) -> bytes: ...

    def reasoning(self, text: str) -> bytes: ...

    def refusal(self, text: str) -> bytes: ...

    def step(self) -> bytes:
        """Note that what follows is said after the agent has used its tools."""

    def close(self, closing: Closing) -> bytes: ...

    def fail(self, fault: Fault) -> bytes: ...


class Exchange:
    """Asks the mesh on behalf of one client, and ends the work when that leaves."""

    def __init__(self, mesh: Mesh, order: Order, writer: Writer, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._mesh = mesh
        self._order = order
        self._writer = writer
        self._headers = [*headers]
        self._envelope = ""
        self._failure: Exception | None = None

    async def whole(self, left: Left, send: Send) -> None:
        """Send the answer when it is complete, or an error with its status."""
        asking = anyio.CancelScope()
        feed = Feed(WHOLE, asking.cancel, coded=self._order.coded)
        left(asking.cancel)
        await self._ask(feed, asking)
        if not feed.ended:
            return  # the client has left
        said, end = feed.take()
        if (fault := _fault(end)) is not None:
            await send_fault(send, fault, self._headers)
        else:
            self._writer.begin(self._envelope)
            self._say(said)
            await send_json(send, self._close(feed, end), self._headers)
        self._raise()

    async def stream(self, left: Left, send: Send, quiet: float = QUIET) -> None:
        """Send the answer as it comes. What fails before the first byte is an error with its status, later an event."""
        asking = anyio.CancelScope()
        feed = Feed(BEHIND, asking.cancel, coded=self._order.coded)
        async with anyio.create_task_group() as tasks:
            left(tasks.cancel_scope.cancel)
            tasks.start_soon(self._ask, feed, asking)
            with _Reminder(feed, quiet) as reminder:
                try:
                    await self._pass_on(feed, send, reminder)
                except Exception as error:  # noqa: BLE001 - raised again below, outside of the group that would wrap it
                    self._failure = error
            tasks.cancel_scope.cancel()
        self._raise()

    async def _pass_on(self, feed: Feed, send: Send, reminder: _Reminder) -> None:
        begun = False
        while True:
            await feed.news()
            said, end = feed.take()
            fault = _fault(end)
            body = b""
            if not begun:
                if fault is not None:
                    await send_fault(send, fault, self._headers)
                    return
                if not said and end is None and not reminder.due:
                    continue
                begun = True
                await send({"type": "http.response.start", "status": 200, "headers": [*STREAM, *self._headers]})
                body = self._writer.begin(self._envelope)
            body += self._say(said)
            if end is not None:
                body += self._writer.fail(fault) if fault is not None else self._close(feed, end)
                await send({"type": "http.response.body", "body": body})
                return
            if body or reminder.due:
                reminder.due = False
                await send({"type": "http.response.body", "body": body or ALIVE, "more_body": True})

    async def _ask(self, feed: Feed, scope: anyio.CancelScope) -> None:
        order = self._order
        emit = None if order.held else feed.hear
        with scope:
            try:
                delivery = await self._mesh.begin(
                    order.to, order.message, sender=order.sender, emit=emit, key=order.key, wishes=order.wishes
                )
                self._envelope = delivery.envelope.id
                # Official clients show it, and `clawmesh why` tells all about it.
                self._headers.append((b"x-request-id", self._envelope.encode("ascii")))
                outcome = await self._mesh.settled(delivery, emit)
            except ClawmeshError as error:
                feed.finish(fault_of(error))
            except Exception as error:  # noqa: BLE001 - raised again when the client has been told
                self._failure = error
                feed.finish(Fault(status=500, message="this failed inside the server", type="server_error"))
            else:
                feed.finish(outcome)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _say(self, pieces: Sequence[Said]) -> bytes:
        """Write pieces; those that have come meanwhile and are of one kind are one."""
        if len(pieces) == 1:
            return self._one(pieces[0])
        written: list[bytes] = []
        for kind, run in groupby(pieces, type):
            if kind is Text or kind is Reasoning:
                text = "".join([piece.text for piece in run if piece is not STEP])
                written.append(self._writer.text(text) if kind is Text else self._writer.reasoning(text))
            else:
                written.append(self._writer.step())
        return b"".join(written)

    def _one(self, piece: Said) -> bytes:
        if piece is STEP:
            return self._writer.step()
        return self._writer.text(piece.text) if piece.__class__ is Text else self._writer.reasoning(piece.text)

    def _close(self, feed: Feed, end: End | None) -> bytes:
        """Write what no piece has said of an answer, and its end."""
        assert isinstance(end, Outcome)  # any other end is a fault
        assert end.message is not None  # likewise
        message, report = end.message, end.report or Report()
        written = b""
        if self._order.held:
            written += self._writer.reasoning(message.reasoning) if message.reasoning else b""
            refused = report.stop == "refusal"
            if message.text:
                written += self._writer.refusal(message.text) if refused else self._writer.text(message.text)
        elif message.text and not feed.told(message.text):
            written += self._writer.step() + self._writer.text(message.text)
        return written + self._writer.close(Closing(report, self._handed(message, report)))

    def _handed(self, message: Message, report: Report) -> tuple[ToolCall, ...]:
        """Return the calls of the caller's tools; of an answer that was cut none is meant."""
        if report.stop not in RUNNING:
            return ()
        theirs = {tool.name for tool in self._order.wishes.tools}
        return tuple(call for call in message.calls if call.name in theirs)


class _Reminder:
    """Wakes the writer of a stream when nothing was said for a while."""

    def __init__(self, feed: Feed, seconds: float) -> None:
        self.due = False
        self._feed = feed
        self._seconds = seconds
        self._timer: TimerHandle | None = None

    def __enter__(self) -> _Reminder:
        self._timer = get_running_loop().call_later(self._seconds, self._remind)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _remind(self) -> None:
        self.due = True
        self._feed.wake()
        self.__enter__()


STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


async def send_json(send: Send, body: bytes, headers: Sequence[tuple[bytes, bytes]], status: int = 200) -> None:
    """Send a whole answer in JSON."""
    length = b"%d" % len(body)
    own = ((b"content-type", b"application/json"), (b"content-length", length))
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})


async def send_fault(send: Send, fault: Fault, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send an answer that is an error."""
    await send_json(send, fault.body, [*fault.headers, *headers], fault.status)


def _fault(end: End | None) -> Fault | None:
    return failure_of(end) if isinstance(end, Outcome) else end
