"""The server, spoken to over real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from clawmesh.server.limits import Patience, Room
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.server.server import PATIENCE, ROOM, Server, open_server

pytestmark = pytest.mark.anyio

HASTE = Patience(header=0.3, body=0.3, pace=1000.0, idle=0.3, reading=0.3)
LARGE = 16 * 1024 * 1024
GET = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"


class Site:
    """An application that answers by the path, and what it has noticed."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.left = anyio.Event()
        self.go_on = anyio.Event()
        self.begun = anyio.Event()
        self.faults: list[str] = []
        self.pushed: list[bool] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.begun.set()
        await getattr(self, scope["path"].strip("/"))(receive, send)

    async def hello(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"hi"})

    async def echo(self, receive: Receive, send: Send) -> None:
        """Answer with what was sent, piece by piece."""
        await send({"type": "http.response.start", "status": 200})
        more = True
        while more:
            event = await receive()
            more = event.get("more_body", False)
            await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})

    async def stay(self, receive: Receive, send: Send) -> None:
        """Say nothing until told, or until the client has left."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    async def wait(self, receive: Receive, send: Send) -> None:
        await self.go_on.wait()
        await self.hello(receive, send)

    async def push(self, receive: Receive, send: Send) -> None:
        """Push pieces: too early, between others, and too late."""
        push = self.scopes[-1]["extensions"]["clawmesh.push"]
        self.pushed.append(push(b"early"))
        await send({"type": "http.response.start", "status": 200})
        self.pushed.append(push(b"a"))
        await send({"type": "http.response.body", "body": b"b", "more_body": True})
        self.pushed.append(push(b"c"))
        await send({"type": "http.response.body", "body": b"d"})
        self.pushed.append(push(b"late"))

    async def heap(self, receive: Receive, send: Send) -> None:
        """Push until there is no room."""
        await send({"type": "http.response.start", "status": 200})
        while self.scopes[-1]["extensions"]["clawmesh.push"](bytes(65536)):
            await anyio.lowlevel.checkpoint()
        self.pushed.append(False)
        self.left.set()

    async def flood(self, receive: Receive, send: Send) -> None:
        """Send for as long as somebody takes it."""
        await send({"type": "http.response.start", "status": 200})
        try:
            while not self.left.is_set():
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
                with anyio.move_on_after(0):
                    if (await receive())["type"] == "http.disconnect":
                        self.left.set()
        finally:
            self.left.set()

    async def large(self, receive: Receive, send: Send) -> None:
        """Answer with much, at once."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})

    async def broken(self, receive: Receive, send: Send) -> None:
        raise ValueError("no answer")

    async def half(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("no other half")

    async def split(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]})

    async def nothing(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})


class Caller:
    """One connection, as bytes."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self.stream = stream
        self.data = b""

    async def until(self, end: bytes) -> bytes:
        """Return what comes up to `end`, which is included."""
        while end not in self.data:
            self.data += await self.stream.receive()
        found, _, self.data = self.data.partition(end)
        return found + end

    async def rest(self) -> bytes:
        """Return all that comes until the server closes."""
        while True:
            try:
                self.data += await self.stream.receive()
            except anyio.EndOfStream:
                return self.data


class Place:
    def __init__(self, site: Site, server: Server, port: int) -> None:
        self.site = site
        self.server = server
        self.port = port

    @asynccontextmanager
    async def call(self, data: bytes = b"") -> AsyncIterator[Caller]:
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            if data:
                await stream.send(data)
            yield Caller(stream)

    async def answer(self, data: bytes) -> bytes:
        async with self.call(data) as caller:
            return await caller.rest()


@asynccontextmanager
async def served(patience: Patience = PATIENCE, room: Room = ROOM) -> AsyncIterator[Place]:
    site = Site()
    sock = socket.create_server(("127.0.0.1", 0))
    async with open_server(site, [sock], failed=site.faults.append, patience=patience, room=room) as server:
        with anyio.fail_after(20):
            yield Place(site, server, sock.getsockname()[1])


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with served() as place, place.call() as caller:
        for _ in range(3):
            await caller.stream.send(GET)
            head = await caller.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: ")
            assert await caller.until(b"hi") == b"hi"
        assert place.server.connections == 1


async def test_what_an_application_sees_of_a_request() -> None:
    async with served() as place:
        await place.answer(b"GET /hello?a=%20b HTTP/1.0\r\nHost: x:1\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n")
        scope = place.site.scopes[0]
    assert (scope["type"], scope["method"], scope["http_version"], scope["scheme"]) == ("http", "GET", "1.0", "http")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/hello", b"/hello", b"a=%20b")
    assert scope["headers"] == [(b"host", b"x:1"), (b"x-twice", b"1"), (b"x-twice", b"2")]
    assert (scope["client"][0], scope["server"]) == ("127.0.0.1", ("127.0.0.1", place.port))


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async with served() as place, place.call(GET * 40 + GET.replace(b"hello", b"nothing")) as caller:
        for _ in range(40):
            await caller.until(b"hi")
        assert (await caller.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 No Content\r\n")


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: 11\r\n\r\nhello world",
        b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\ntrailer: x\r\n\r\n",
    ],
)
async def test_a_body_arrives_however_it_is_framed_and_cut(body: bytes) -> None:
    request = b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + body
    async with served() as place:
        for size in (1, 7, len(request)):
            async with place.call() as caller:
                for start in range(0, len(request), size):
                    await caller.stream.send(request[start : start + size])
                answer = await caller.rest()
            head, _, chunks = answer.partition(b"\r\n\r\n")
            assert b"connection: close" in head
            assert b"".join(chunks.split(b"\r\n")[1::2]) == b"hello world"
            assert chunks.endswith(b"0\r\n\r\n")


async def test_a_large_body_waits_for_the_application() -> None:
    size = 8 * 1024 * 1024
    async with served() as place, place.call() as caller:
        await caller.stream.send(b"POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller.stream.send, bytes(size))
            await place.site.begun.wait()
            place.site.go_on.set()
            head = await caller.until(b"hi")
            # It was answered before its end, so nothing may follow on this connection.
            assert b"connection: close" in head
            tasks.cancel_scope.cancel()


async def test_a_client_that_asks_whether_to_go_on_is_told() -> None:
    async with served() as place, place.call() as caller:
        await caller.stream.send(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        head = await caller.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")  # this application answers before it reads
    async with served() as place, place.call() as caller:
        await caller.stream.send(b"POST /stay HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await caller.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_head_has_no_body_and_an_old_client_gets_no_chunks() -> None:
    async with served() as place:
        assert (await place.answer(b"HEAD /hello HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\n")
        answer = await place.answer(b"POST /echo HTTP/1.0\r\ncontent-length: 2\r\n\r\nok")
        assert answer.endswith(b"\r\n\r\nok")
        assert b"chunked" not in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", 400),
        (b"POST /echo HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET /hello HTTP/1.1\r\na: " + b"b" * 40_000, 431),
        (b"GET /" + b"a" * 40_000, 431),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 33554433\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(request_: bytes, status: int) -> None:
    async with served() as place:
        answer = await place.answer(request_)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert b"connection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert place.site.faults == []


async def test_an_offer_of_another_protocol_is_not_taken_up() -> None:
    async with served() as place:
        answer = await place.answer(b"GET /hello HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"hi")


async def test_a_body_that_grows_too_large_is_cut_off() -> None:
    async with served(room=Room(body_bytes=100_000)) as place, place.call() as caller:
        await caller.stream.send(b"POST /stay HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            await caller.stream.send(b"c350\r\n" + bytes(50_000) + b"\r\n")
        assert (await caller.rest()).startswith(b"HTTP/1.1 413 ")
        await place.site.left.wait()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"GET /hello HT", b"HTTP/1.1 408 "),
        (b"GET /hello HTTP/1.1\r\nhost: x\r\n", b"HTTP/1.1 408 "),
        (b"POST /stay HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf", b"HTTP/1.1 408 "),
        (GET, b"HTTP/1.1 200 "),
    ],
)
async def test_who_goes_silent_is_cut_off(sent: bytes, status: bytes) -> None:
    async with served(HASTE) as place:
        assert (await place.answer(sent)).startswith(status)
        await place.server.empty()


async def test_one_byte_after_the_other_is_cut_off_too() -> None:
    async with served(HASTE) as place:
        for start in (b"GET /hello", b"POST /stay HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"):
            async with place.call(start) as caller, anyio.create_task_group() as tasks:

                async def drip(caller: Caller = caller) -> None:
                    while True:
                        await caller.stream.send(b"a")
                        await anyio.sleep(0.05)

                tasks.start_soon(drip)
                assert (await caller.rest()).startswith(b"HTTP/1.1 408 ")
                tasks.cancel_scope.cancel()


async def test_who_never_reads_is_cut_off_and_others_are_not() -> None:
    async with served(HASTE) as place, place.call(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n"):
        await place.site.begun.wait()
        assert b"hi" in await place.answer(GET)
        await place.site.left.wait()


async def test_an_answer_that_takes_long_has_no_deadline() -> None:
    async with served(HASTE) as place, place.call(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n") as caller:
        with anyio.move_on_after(1.0):
            await caller.until(b"hi")
        place.site.go_on.set()
        assert (await caller.until(b"hi")).startswith(b"HTTP/1.1 200 ")


async def test_an_application_hears_that_the_client_has_left() -> None:
    async with served() as place:
        async with place.call(b"GET /stay HTTP/1.1\r\nhost: x\r\n\r\n"):
            await place.site.begun.wait()
        await place.site.left.wait()
    assert place.site.faults == []


async def test_one_connection_too_many_is_told_to_come_again() -> None:
    async with served(room=Room(connections=1)) as place, place.call(GET) as caller:
        await caller.until(b"hi")
        answer = await place.answer(b"")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in answer


async def test_a_failing_application_is_told_of() -> None:
    async with served() as place:
        assert (await place.answer(b"GET /broken HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
        half = await place.answer(b"GET /half HTTP/1.1\r\n\r\n")
        assert half.endswith(b"half\r\n")  # and no end, so that nobody takes it for whole
        assert b"set-cookie" not in await place.answer(b"GET /split HTTP/1.1\r\n\r\n")
    assert [fault.partition(":")[0] for fault in place.site.faults] == [
        "GET /broken failed",
        "GET /half failed",
        "GET /split failed",
    ]


async def test_draining_waits_for_answers_and_for_no_idle_client() -> None:
    async with served() as place, place.call(GET) as idle, place.call(GET.replace(b"hello", b"wait")) as busy:
        await idle.until(b"hi")
        while len(place.site.scopes) < 2:
            await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(place.server.drain, 20)
            assert await idle.rest() == b""
            place.site.go_on.set()
            answer = await busy.rest()
        assert answer.endswith(b"hi")
        assert b"connection: close" in answer
        with pytest.raises(OSError, match="connect"):
            await anyio.connect_tcp("127.0.0.1", place.port)


async def test_what_is_not_done_in_time_is_cut_off() -> None:
    async with served() as place, place.call(b"GET /stay HTTP/1.1\r\nhost: x\r\n\r\n") as caller:
        await place.site.begun.wait()
        await place.server.drain(0.1)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await caller.stream.receive()
        await place.site.left.wait()


async def test_who_reads_slowly_and_steadily_gets_all_of_a_large_answer() -> None:
    async with served(HASTE) as place, place.call(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n") as caller:
        came = 0
        while came < LARGE:
            came += len(await caller.stream.receive(131_072))
            await anyio.sleep(0.005)  # so that it takes longer than the deadline
        assert place.server.connections == 1


async def test_who_does_not_read_its_answers_gets_no_further_one() -> None:
    request = b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n"
    async with served() as place, place.call(request * 8) as idle:
        async with place.call(GET) as other:
            await other.until(b"hi")
        asked = [scope["path"] for scope in place.site.scopes]
        assert asked.count("/large") <= 2
        assert idle.data == b""


async def test_requests_that_come_before_an_answer_are_bounded() -> None:
    async with served() as place, place.call(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + GET * 400) as caller:
        await place.site.begun.wait()
        place.site.go_on.set()
        answers = await caller.rest()
        assert answers.count(b"HTTP/1.1 200 ") == 1 + 64


async def test_what_stands_around_a_body_is_bounded() -> None:
    begin = b"POST /stay HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    for more in (b"a: b\r\n" * 200, b"x: " + b"a" * 60_000):
        async with served() as place, place.call(begin) as caller:
            await place.site.begun.wait()
            await caller.stream.send(more)
            assert (await caller.rest()).startswith(b"HTTP/1.1 431 ")


async def test_an_error_in_what_follows_is_not_the_answer_to_the_request_before() -> None:
    async with served() as place, place.call(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + b"garbage\r\n\r\n") as caller:
        await place.site.begun.wait()
        place.site.go_on.set()
        answer = await caller.rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"hi")


async def test_a_failure_that_nobody_hears_of_is_answered_all_the_same() -> None:
    def deaf(_text: str) -> None:
        raise BrokenPipeError

    sock = socket.create_server(("127.0.0.1", 0))
    async with open_server(Site(), [sock], failed=deaf) as server:
        place = Place(Site(), server, sock.getsockname()[1])
        assert (await place.answer(b"GET /broken HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 500 ")


async def test_what_is_pushed_comes_in_its_order_while_the_answer_is_under_way() -> None:
    async with served() as place:
        data = await place.answer(b"GET /push HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert data.endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n")
    assert place.site.pushed == [False, True, True, False]


async def test_nothing_is_pushed_to_who_does_not_read() -> None:
    async with served() as place, place.call(b"GET /heap HTTP/1.1\r\nhost: x\r\n\r\n"):
        await place.site.left.wait()
    assert place.site.pushed[-1] is False
