"""The transport under `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio
import httpx2
import pytest

from clawmesh.http.adapter import HIGH, open_client
from clawmesh.http.dns import Address
from clawmesh.http.limits import Bounds
from clawmesh.http.transport import open_transport
from clawmesh.http.url import Location
from tests.http.peer import OK, Peer, Script, Talk, plays, repeats, serve

pytestmark = pytest.mark.anyio

BOUNDS = Bounds()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def over(script: Script, bounds: Bounds = BOUNDS) -> AsyncIterator[tuple[Peer, httpx2.AsyncClient]]:
    """Open a client of httpx over our transport, and a server that plays `script`."""
    async with serve(script) as peer, open_transport(bounds=bounds) as transport, open_client(transport) as client:
        yield peer, client


async def fetch(script: Script, *, method: str = "GET", seconds: float | None = 5, times: int = 1) -> httpx2.Response:
    async with over(script, Bounds(header_bytes=2000)) as (peer, client):
        for _ in range(times):
            response = await client.request(method, f"{peer.url}/p?q=1", timeout=seconds)
        response.extensions["connections"] = len(peer.talks)
        return response


async def test_response() -> None:
    raw = b"HTTP/1.1 201 Created\r\nX-Many: a \r\nX-Many: b\r\nContent-Length: 5\r\n\r\nhello"
    response = await fetch(repeats(raw), times=3)
    assert (response.status_code, response.text) == (201, "hello")
    assert response.headers.get_list("x-many") == ["a", "b"]
    assert response.http_version == "HTTP/1.1"
    assert response.extensions["connections"] == 1


async def test_request_is_sent_as_httpx_wrote_it() -> None:
    requests: list[bytes] = []

    async def script(talk: Talk) -> None:
        requests.append(await talk.answer(OK))

    async with over(script) as (peer, client):
        await client.post(f"{peer.url}/a%20b?x=1", json={"a": 1}, headers={"X-Key": "k"})
    head, _, body = requests[0].partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    assert line == b"POST /a%20b?x=1 HTTP/1.1"
    assert {f"Host: 127.0.0.1:{peer.port}".encode(), b"X-Key: k", b"Content-Length: 7"} <= set(fields)
    assert body == b'{"a":1}'


async def test_encoded_body_is_decoded() -> None:
    packed = gzip.compress(b"hello " * 100)
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    assert (await fetch(plays(raw))).text == "hello " * 100


@pytest.mark.parametrize("method", ["HEAD", "DELETE"])
async def test_other_methods(method: str) -> None:
    response = await fetch(repeats(OK if method == "DELETE" else OK[:-2]), method=method, times=2)
    assert response.text == ("ok" if method == "DELETE" else "")


async def test_upload_in_pieces() -> None:
    bodies: list[bytes] = []

    async def script(talk: Talk) -> None:
        await talk.request()
        bodies.append(await talk.until(b"0\r\n\r\n"))
        await talk.send(OK)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"hello"
        yield b""
        yield b"world" * 4

    async with over(script) as (peer, client):
        assert (await client.post(peer.url, content=pieces())).text == "ok"
    assert bodies == [b"5\r\nhello\r\n14\r\nworldworldworldworld\r\n0\r\n\r\n"]


class Deaf(asyncio.Protocol):
    """A server's side that reads no further than it must, and answers when told to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.pause_reading()

    def answer(self) -> None:
        self.transport.write(OK)


async def test_upload_waits_for_a_slow_peer_and_stops_when_it_has_answered() -> None:
    sent = 0
    begun = anyio.Event()
    peers: list[Deaf] = []

    def accept() -> Deaf:
        peers.append(Deaf())
        return peers[-1]

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        begun.set()
        while True:
            sent += 1
            yield b"x" * 64_000

    async def post() -> None:
        assert (await client.post(url, content=endless(), timeout=5)).text == "ok"

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, open_transport() as transport, open_client(transport) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(post)
            await begun.wait()
            await anyio.wait_all_tasks_blocked()
            assert 0 < sent < 1000  # sockets hold a few megabytes
            peers[0].answer()
        assert transport.take(Location.parse(url).origin) is None  # half a request was sent: nothing may follow it
        peers[0].transport.abort()


async def test_slow_reader_makes_the_peer_wait() -> None:
    size, sent = 20_000_000, 0

    async def script(talk: Talk) -> None:
        nonlocal sent
        await talk.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            await talk.send(b"x" * 100_000)
            sent += 100_000

    received = 0
    async with over(script) as (peer, client), client.stream("GET", peer.url) as response:
        await anyio.wait_all_tasks_blocked()
        assert sent < size
        async for piece in response.aiter_raw():
            received += len(piece)
            assert len(piece) <= HIGH
    assert received == size


async def test_response_closed_early_frees_its_place() -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(CHUNKED + b"5\r\nhello\r\n")
        await talk.gone()

    async with over(script, Bounds(per_origin=1)) as (peer, client):
        for _ in range(3):
            async with client.stream("GET", peer.url) as response:
                assert await anext(response.aiter_raw()) == b"hello"
        assert len(peer.talks) == 3


async def test_response_received_whole_frees_its_place_before_it_is_read() -> None:
    async with over(repeats(OK), Bounds(per_origin=1)) as (peer, client), client.stream("GET", peer.url) as first:
        async with client.stream("GET", peer.url) as second:
            assert await second.aread() == b"ok"
        assert await first.aread() == b"ok"


async def test_cancelling_frees_its_place() -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        asked.set()
        await talk.gone()

    async with over(script, Bounds(per_origin=1)) as (peer, client):
        for _ in range(3):
            asked = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, peer.url)
                await asked.wait()
                group.cancel_scope.cancel()


async def test_get_lost_on_a_used_connection_is_sent_again() -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(OK)
        if len(peer.talks) == 1:
            await talk.request()

    async with over(script) as (peer, client):
        await client.get(peer.url)
        assert (await client.get(peer.url)).text == "ok"
        assert len(peer.talks) == 2


FAULTS: dict[str, tuple[bytes, type[Exception]]] = {
    "no answer": (b"", httpx2.ReadError),
    "early close": (CHUNKED + b"5\r\nhe", httpx2.ReadError),
    "bad framing": (b"garbage\r\n\r\n", httpx2.RemoteProtocolError),
    "bad chunk": (CHUNKED + b"x\r\n", httpx2.RemoteProtocolError),
    "oversize header": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000, httpx2.RemoteProtocolError),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str) -> None:
    raw, error = FAULTS[name]
    with pytest.raises(error):
        await fetch(plays(raw))


@pytest.mark.parametrize("raw", [b"", CHUNKED + b"5\r\nhello\r\n"])
async def test_read_timeout(raw: bytes) -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(raw)
        await talk.gone()

    with pytest.raises(httpx2.ReadTimeout):
        await fetch(script, seconds=0.05)


async def test_no_timeout() -> None:
    assert (await fetch(repeats(OK), seconds=None)).text == "ok"


async def test_pool_timeout() -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(CHUNKED)
        await talk.gone()

    async with over(script, Bounds(per_origin=1)) as (peer, client), client.stream("GET", peer.url):
        with pytest.raises(httpx2.PoolTimeout):
            await client.get(peer.url, timeout=0.05)


async def test_nobody_there() -> None:
    async with serve(repeats(OK)) as peer:
        url = peer.url
    async with open_transport() as transport, open_client(transport) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(url)


async def test_scheme() -> None:
    async with open_transport() as transport, open_client(transport) as client:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await client.get("ftp://a.example/")


async def test_redirects_are_followed_by_httpx() -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        return [("127.0.0.1", peer.port)]

    async def script(talk: Talk) -> None:
        while True:
            if b"a.example" not in await talk.request():
                break
            await talk.send(b"HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\nContent-Length: 0\r\n\r\n")
        await talk.send(OK)

    async with serve(script) as peer, open_transport(resolve=resolve) as transport, open_client(transport) as client:
        response = await client.get("http://a.example/", follow_redirects=True)
        assert (response.text, str(response.url)) == ("ok", "http://b.example/")
