"""A provider that answers as asked and computes nothing: OpenAI chat completions at a pace that the model's name says.

A model `100x20` streams 100 chunks, one every 20 ms, and `1x0` all at once; without `"stream": true` the answer comes
whole, after as long as it would have streamed. A model `tool:100x20` calls the first tool it is offered, after as long,
until the last message is a tool's result. A model `all:5000` keeps everybody waiting, for a minute at most, until 5000
requests are there at the same time. Each chunk's text is the moment it was written, in nanoseconds of the
monotonic clock, which all processes of a machine share; so a client can say how long it took to arrive.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from mmap import mmap
from multiprocessing.connection import Connection
from typing import cast

import anyio
import httptools
import msgspec

from clawmesh.bench.child import forked
from clawmesh.errors import ResourceError
from clawmesh.runtime import loop_options, settle, tune

MODEL = re.compile(r"all:(?P<crowd>[0-9]{1,6})|(?P<tool>tool:)?(?P<chunks>[0-9]{1,6})x(?P<millis>[0-9]{1,6})")
PATIENCE = 60.0
MOMENT = 0.25
SLOTS = 50
FINEST = 0.002
BATCH = 8

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"bench",'
    b'"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}\n\n'
)
WHOLE = (
    b'{"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"bench",'
    b'"choices":[{"index":0,"message":%b,"logprobs":null,"finish_reason":"%b"}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}}'
)
DONE = b"data: [DONE]\n\n"
END = b"0\r\n\r\n"


class Function(msgspec.Struct):
    name: str


class Tool(msgspec.Struct):
    function: Function


class Message(msgspec.Struct):
    role: str


class Query(msgspec.Struct):
    """What matters of a request."""

    model: str
    messages: list[Message]
    stream: bool = False
    tools: list[Tool] = []


@dataclass(frozen=True, slots=True)
class Plan:
    """How one answer goes: so many chunks, so many seconds apart; `tool` names the tool that it calls.

    With a `crowd` it comes as soon as so many wait for it.
    """

    chunks: int
    interval: float
    tool: str = ""
    crowd: int = 0

    @classmethod
    def of(cls, query: Query) -> Plan | None:
        """Read the plan from the model's name; None if it says none."""
        match = MODEL.fullmatch(query.model)
        if match is None:
            return None
        if match["crowd"]:
            return cls(1, 0.0, crowd=int(match["crowd"]))
        calls = bool(match["tool"] and query.tools and query.messages and query.messages[-1].role != "tool")
        return cls(int(match["chunks"]), int(match["millis"]) / 1000, query.tools[0].function.name if calls else "")


class Tally:
    """Counts what one process does; all that fork from the one which made it can read it."""

    BYTES = 8

    def __init__(self) -> None:
        self._shared = mmap(-1, self.BYTES)

    @property
    def count(self) -> int:
        return int.from_bytes(self._shared[: self.BYTES], "little")

    def add(self) -> None:
        self._shared[: self.BYTES] = (self.count + 1).to_bytes(self.BYTES, "little")


class Pacer:
    """Writes the chunks of all streams with one interval, spread over slots so that they do not come in bursts."""

    def __init__(self, interval: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._step = max(interval / SLOTS, FINEST)
        self._slots: list[list[Conversation]] = [[] for _ in range(max(1, round(interval / self._step)))]
        self._joined = 0
        self._turns = 0
        self._streams = 0
        self._started = 0.0

    def join(self, stream: Conversation) -> None:
        """Write a chunk of `stream` every interval until it says that it is over."""
        if not self._streams:
            self._started, self._turns = self._loop.time(), 0
            self._loop.call_at(self._started + self._step, self._turn)
        self._streams += 1
        self._joined += 1
        self._slots[self._joined % len(self._slots)].append(stream)

    def _turn(self) -> None:
        number = self._turns % len(self._slots)
        streams = self._slots[number]
        event = b""
        for at, stream in enumerate(streams):
            if at % BATCH == 0:  # the moment in the chunk stays true while many are written
                event = chunk(delta(stamp()))
            stream.tick(event)
        self._slots[number] = [stream for stream in streams if stream.left > 0]
        self._streams -= len(streams) - len(self._slots[number])
        self._turns += 1
        if self._streams:
            self._loop.call_at(self._started + (self._turns + 1) * self._step, self._turn)


class Crowds:
    """Holds requests until there are enough of them and a moment longer, or until it has taken too long."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Plan, list[Conversation]] = {}

    def join(self, plan: Plan, stream: Conversation) -> None:
        """Let a stream wait for those that are still to come."""
        if plan not in self._waiting:
            self._loop.call_later(PATIENCE, self._release, plan)
        waiting = self._waiting.setdefault(plan, [])
        waiting.append(stream)
        if len(waiting) == plan.crowd:
            self._loop.call_later(MOMENT, self._release, plan)

    def _release(self, plan: Plan) -> None:
        for stream in self._waiting.pop(plan, ()):
            stream.burst(plan)


class Conversation(asyncio.Protocol):
    """One connection: answers request after request."""

    __slots__ = ("_body", "_house", "_parser", "_transport", "left")

    _transport: asyncio.Transport

    def __init__(self, house: House) -> None:
        self._house = house
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._house.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.left = 0
        self._house.peers.discard(self)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        self._house.requests.add()
        try:
            query = msgspec.json.decode(body, type=Query)
        except msgspec.DecodeError as error:
            self._refuse(400, str(error))
            return
        plan = Plan.of(query)
        if plan is None:
            self._refuse(404, f"no model {query.model!r}: expected CHUNKSxMILLISECONDS")
        elif query.stream:
            self._stream(plan)
        else:
            seconds = plan.chunks * plan.interval
            asyncio.get_running_loop().call_later(seconds, self._answer, plan)

    def tick(self, event: bytes) -> None:
        """Write the next chunk, and the end after the last one."""
        if self.left > 0:
            self.left -= 1
            self._transport.write(event if self.left else event + ending(b"stop"))

    def burst(self, plan: Plan) -> None:
        """Write all of an answer at once."""
        self._transport.write(events(plan))

    def _stream(self, plan: Plan) -> None:
        if plan.crowd:
            self._transport.write(STREAM_HEAD)
            self._house.crowds.join(plan, self)
        elif plan.interval == 0:
            self._transport.write(STREAM_HEAD + events(plan))
        elif plan.tool or plan.chunks == 1:
            self._transport.write(STREAM_HEAD)
            asyncio.get_running_loop().call_later(plan.chunks * plan.interval, self.burst, plan)
        else:
            self._transport.write(STREAM_HEAD)
            self.left = plan.chunks
            self._house.pacer(plan.interval).join(self)

    def _answer(self, plan: Plan) -> None:
        message = call(plan.tool) if plan.tool else delta(b" ".join([stamp()] * plan.chunks))
        body = WHOLE % (message, b"tool_calls" if plan.tool else b"stop", plan.chunks, plan.chunks + 10)
        self._reply(b"200 OK", body)

    def _refuse(self, status: int, reason: str) -> None:
        error = {"error": {"message": reason, "type": "invalid_request_error", "code": None, "param": None}}
        self._reply(b"%d Refused" % status, msgspec.json.encode(error))

    def _reply(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)


class House:
    """What all conversations of one server share."""

    def __init__(self, requests: Tally) -> None:
        self.requests = requests
        self.crowds = Crowds()
        self.peers: set[Conversation] = set()
        self._pacers: dict[float, Pacer] = {}

    def pacer(self, interval: float) -> Pacer:
        """Return the one for all streams of this interval."""
        if interval not in self._pacers:
            self._pacers[interval] = Pacer(interval)
        return self._pacers[interval]


def stamp() -> bytes:
    return b"%d" % time.monotonic_ns()


def delta(text: bytes) -> bytes:
    return b'{"role":"assistant","content":"%b "}' % text


def call(tool: str) -> bytes:
    """Return a message that calls a tool with no arguments."""
    function = {"name": tool, "arguments": "{}"}
    calls = [{"index": 0, "id": f"call_{time.monotonic_ns()}", "type": "function", "function": function}]
    return msgspec.json.encode({"role": "assistant", "content": None, "tool_calls": calls})


def chunk(message: bytes, reason: bytes = b"null") -> bytes:
    return framed(EVENT % (message, reason))


def events(plan: Plan) -> bytes:
    """Return all of a stream that comes at once."""
    if plan.tool:
        return chunk(call(plan.tool)) + ending(b"tool_calls")
    return chunk(delta(stamp())) * plan.chunks + ending(b"stop")


def ending(reason: bytes) -> bytes:
    """Return what follows the last chunk: the finish reason, the terminal event, and the end of the body."""
    return chunk(b"{}", b'"%b"' % reason) + framed(DONE) + END


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def serve(context: ssl.SSLContext | None = None, requests: Tally | None = None) -> AsyncIterator[int]:
    """Answer on a port of loopback, which is yielded, over TLS if there is a context; `requests` counts them."""
    house = House(requests or Tally())
    server = await asyncio.get_running_loop().create_server(
        lambda: Conversation(house), "127.0.0.1", 0, backlog=16_384, ssl=context
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for peer in list(house.peers):
            peer.abort()
        await server.wait_closed()


@contextmanager
def provider(certificate: str = "", requests: Tally | None = None) -> Iterator[str]:
    """Run the provider in a process of its own and yield its base URL; call it where no event loop runs yet.

    `certificate` is a PEM file with the chain and key for TLS; `requests` counts what it is asked.
    """
    with forked(lambda pipe: run(pipe, certificate, requests)) as pipe:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{_port(pipe)}/v1"


def _port(pipe: Connection) -> int:
    try:
        port: int = pipe.recv()
    except EOFError as error:
        raise ResourceError("the mock provider could not be started") from error
    return port


def run(port: Connection, certificate: str, requests: Tally | None) -> None:
    """Serve until terminated; the port's number goes into the pipe `port`."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def main() -> None:
        async with serve(context, requests) as number:
            settle()
            port.send(number)
            await anyio.sleep_forever()

    tune()
    anyio.run(main, backend_options=loop_options())
