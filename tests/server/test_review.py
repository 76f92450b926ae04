"""What a hostile review found in the server; each test fails until it is mended."""

from __future__ import annotations

import socket

import anyio
import pytest

from clawmesh.server.limits import Patience
from clawmesh.server.request import Receive, Scope, Send
from clawmesh.server.server import Server, open_server
from tests.server.test_server import GET, HASTE, Caller, served

pytestmark = pytest.mark.anyio
LARGE = 32 * 1024 * 1024


class Large:
    """Answers with much, at once."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        size = b"%d" % LARGE
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", size)]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})


def _opened(large: Large, patience: Patience) -> tuple[int, object]:
    sock = socket.create_server(("127.0.0.1", 0))
    return sock.getsockname()[1], open_server(large, [sock], failed=print, patience=patience)


async def test_a_client_that_reads_slowly_and_steadily_gets_all_of_a_large_answer() -> None:
    port, opening = _opened(Large(), HASTE)
    async with opening:  # type: ignore[attr-defined]
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(GET)
            came = 0
            while came < LARGE:
                came += len(await stream.receive(262_144))
                await anyio.sleep(0.01)


async def test_no_further_request_is_answered_while_the_answers_are_not_read() -> None:
    large = Large()
    port, opening = _opened(large, Patience(reading=30))
    async with opening:  # type: ignore[attr-defined]
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(GET * 8)
            await anyio.sleep(0.5)
            assert large.asked <= 2


async def test_pipelined_requests_in_one_piece_are_bounded_too() -> None:
    async with served() as place, place.call(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + GET * 4000):
        await anyio.sleep(0.3)
        (connection,) = _connections(place.server)
        assert len(connection._line) <= 2 * place.server.room.pipelined  # type: ignore[attr-defined]


def _connections(server: Server) -> list[object]:
    return [*server._connections]


async def test_a_large_header_is_refused_also_where_it_comes_in_one_piece() -> None:
    async with served() as place:
        request = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: " + bytes(60_000).replace(b"\0", b"a")
        assert b" 431 " in await place.answer(request + b"\r\n\r\n")


async def test_a_header_that_begins_in_the_piece_of_the_request_before_has_its_deadline() -> None:
    async with served(Patience(header=0.3, idle=30)) as place, place.call(GET + b"GET /hel") as caller:
        with anyio.fail_after(3):
            await caller.rest()


async def test_trailers_are_bounded() -> None:
    begin = b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
    async with served() as place, place.call(begin) as caller:
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await _pour(caller)


async def _pour(caller: Caller) -> None:
    for _ in range(200):
        await caller.stream.send(b"a: b\r\n" * 1000)
        await anyio.sleep(0.002)


async def test_an_error_in_what_follows_is_not_the_answer_to_the_request_before() -> None:
    async with served() as place, place.call(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n") as caller:
        await place.site.begun.wait()
        await caller.stream.send(b"garbage\r\n\r\n")
        await anyio.sleep(0.1)
        place.site.go_on.set()
        assert not (await caller.rest()).startswith(b"HTTP/1.1 400")


async def test_a_failure_that_cannot_be_told_is_answered_all_the_same() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("no answer")

    def failed(text: str) -> None:
        raise OSError("nobody reads what we say")

    sock = socket.create_server(("127.0.0.1", 0))
    async with open_server(broken, [sock], failed=failed):
        async with await anyio.connect_tcp("127.0.0.1", sock.getsockname()[1]) as stream:
            await stream.send(GET)
            with anyio.fail_after(3):
                assert b" 500 " in await stream.receive()
