"""Requests through a proxy, seen from both faces of the transport."""

from __future__ import annotations

import subprocess
import sys

import anyio
import pytest

from clawmesh.errors import (
    ConnectError,
    ConnectionLostError,
    FramingError,
    OversizeError,
    TransportError,
    TransportTimeoutError,
    URLError,
)
from clawmesh.http.adapter import open_client
from clawmesh.http.limits import Bounds, Deadlines
from clawmesh.http.proxy import Proxies
from clawmesh.http.target import Target
from clawmesh.http.transport import open_transport
from tests.http.peer import OK, Recorder, Script, Talk, plays, repeats, serve

pytestmark = pytest.mark.anyio

TARGET = Target.parse("http://a.example:81/x", headers={"Authorization": "Bearer key"})
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def ask(script: Script, deadlines: Deadlines | None = None) -> Recorder:
    recorder = Recorder()
    async with serve(script) as peer:
        proxies, bounds = Proxies(http=peer.url), Bounds(body_bytes=1000)
        async with open_transport(proxies=proxies, bounds=bounds) as transport:
            await transport.exchange(TARGET, b"{}", recorder, deadlines or Deadlines(), [(b"X-Key", b"k")])
    return recorder


async def test_exchange() -> None:
    requests: list[bytes] = []

    async def script(talk: Talk) -> None:
        requests.append(await talk.answer(CHUNKED, b"1\r\n!\r\n0\r\n\r\n"))

    recorder = await ask(script)
    assert (recorder.status, recorder.body) == (200, b"hello!")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    line, *fields = head.lower().split(b"\r\n")
    assert line == b"post http://a.example:81/x http/1.1"
    assert {b"host: a.example:81", b"authorization: bearer key", b"x-key: k", b"content-length: 2"} <= set(fields)
    assert body == b"{}"


async def test_client_of_httpx_takes_the_same_way() -> None:
    requests: list[bytes] = []

    async def script(talk: Talk) -> None:
        requests.append(await talk.answer(OK))

    async with (
        serve(script) as peer,
        open_transport(proxies=Proxies(http=peer.url)) as transport,
        open_client(transport) as client,
    ):
        assert (await client.get("http://a.example/y")).text == "ok"
    assert requests[0].startswith(b"GET http://a.example/y HTTP/1.1\r\n")


async def test_tunnel_is_asked_for_and_its_refusal_is_an_error() -> None:
    requests: list[bytes] = []

    async def script(talk: Talk) -> None:
        requests.append(await talk.answer(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))

    async with serve(script) as peer, open_transport(proxies=Proxies(https=peer.url)) as transport:
        with pytest.raises(ConnectError, match="407"):
            await transport.exchange(Target.parse("https://a.example/"), b"", Recorder())
    assert requests[0].startswith(b"CONNECT a.example:443 HTTP/1.1\r\n")
    assert b"key" not in requests[0]


async def test_exempt_host_is_reached_directly() -> None:
    async with serve(repeats(OK)) as peer, open_transport(proxies=Proxies(http="http://127.0.0.1:9")) as transport:
        recorder = Recorder()
        await transport.exchange(Target.parse(peer.url), b"", recorder)
        assert recorder.body == b"ok"


FAULTS: dict[str, tuple[bytes, Deadlines, type[TransportError]]] = {
    "no answer": (b"", Deadlines(), FramingError),
    "early close": (CHUNKED, Deadlines(), FramingError),
    "garbage": (b"garbage\r\n\r\n", Deadlines(), FramingError),
    "oversize": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, Deadlines(), OversizeError),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str) -> None:
    raw, deadlines, error = FAULTS[name]
    with pytest.raises(error):
        await ask(plays(raw), deadlines)


async def test_reset() -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        talk.reset()

    with pytest.raises(ConnectionLostError):
        await ask(script)


SLOW = {
    "head": (b"", Deadlines(head=0.05)),
    "silence": (CHUNKED, Deadlines(silence=0.05)),
    "total": (CHUNKED, Deadlines(total=0.05)),
}


@pytest.mark.parametrize("phase", SLOW)
async def test_deadline(phase: str) -> None:
    raw, deadlines = SLOW[phase]

    async def script(talk: Talk) -> None:
        await talk.answer(raw)
        await talk.gone()

    with pytest.raises(TransportTimeoutError) as caught:
        await ask(script, deadlines)
    assert caught.value.phase == phase


async def test_proxy_that_is_not_there() -> None:
    async with serve(repeats(OK)) as peer:
        gone = peer.url
    async with open_transport(proxies=Proxies(http=gone)) as transport:
        with pytest.raises(ConnectError, match="through the proxy"):
            await transport.exchange(TARGET, b"", Recorder())


@pytest.mark.parametrize("proxy", ["socks5://user:secret@p:1", "http://", "http://p:secret"])
async def test_url_that_names_no_proxy(proxy: str) -> None:
    async with open_transport(proxies=Proxies(http=proxy)) as transport:
        with pytest.raises(URLError, match="proxy") as caught:
            await transport.exchange(TARGET, b"", Recorder())
    assert "secret" not in str(caught.value)


async def test_error_of_the_sink_leaves_as_it_is() -> None:
    class Refusing(Recorder):
        def feed(self, data: bytes) -> None:
            raise LookupError("refused")

    async with serve(plays(CHUNKED)) as peer, open_transport(proxies=Proxies(http=peer.url)) as transport:
        with pytest.raises(LookupError, match="refused"):
            await transport.exchange(TARGET, b"", Refusing())


async def test_cancelling_closes_the_connection() -> None:
    asked, left = anyio.Event(), anyio.Event()

    async def script(talk: Talk) -> None:
        asked.set()
        await talk.gone()
        left.set()

    async with serve(script) as peer, open_transport(proxies=Proxies(http=peer.url)) as transport:
        async with anyio.create_task_group() as group:
            group.start_soon(transport.exchange, TARGET, b"", Recorder())
            await asked.wait()
            group.cancel_scope.cancel()
        await left.wait()


def test_httpx_is_not_loaded_without_a_proxy() -> None:
    code = "import sys, clawmesh.http.transport, clawmesh.http.lines; print('httpx2' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
