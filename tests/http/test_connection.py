"""HTTP/1.1 as peers really speak it: every framing, every cut, every fault."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from clawmesh.errors import ConnectionLostError, FramingError, OversizeError, TransportTimeoutError
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Bounds, Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import open_transport
from tests.http.peer import OK, Recorder, Script, Talk, plays, repeats, serve

pytestmark = pytest.mark.anyio

BOUNDS = Bounds(header_bytes=2000, body_bytes=5000)
DEADLINES = Deadlines()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def fetch(
    script: Script, *, method: str = "POST", deadlines: Deadlines = DEADLINES, times: int = 1
) -> tuple[Recorder, int]:
    """Return the last of so many responses, and how many connections they took."""
    async with serve(script) as peer, open_transport(bounds=BOUNDS) as transport:
        target = Target.parse(peer.url, method=method)
        for _ in range(times):
            recorder = Recorder()
            await transport.exchange(target, b"", recorder, deadlines)
        return recorder, len(peer.talks)


RESPONSES = {
    "content-length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    "chunked": (CHUNKED + b"5\r\nhello\r\n1;ext=1\r\n!\r\n0\r\n\r\n", 200, b"hello!", True),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\nDigest: x\r\nMore: y\r\n\r\n", 200, b"hi", True),
    "until close": (b"HTTP/1.1 200 OK\r\n\r\nhello", 200, b"hello", False),
    "until close, empty": (b"HTTP/1.1 200 OK\r\n\r\n", 200, b"", False),
    "http/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "connection close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi", False),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, b"", True),
    "100": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok", True),
    "103, 103": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + OK, 200, b"ok", True),
    "500": (b"HTTP/1.1 500 \r\nContent-Length: 2\r\n\r\nno", 500, b"no", True),
    "two responses": (OK + OK, 200, b"ok", False),
    "garbage after": (OK + b"\0\0\0", 200, b"ok", False),
    "a digit after": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", 200, b"ok", False),
}


@pytest.mark.parametrize("name", RESPONSES)
async def test_response(name: str) -> None:
    raw, status, body, reused = RESPONSES[name]
    until_close = name.startswith("until close")
    recorder, connections = await fetch(plays(raw) if until_close else repeats(raw), times=2)
    assert (recorder.status, recorder.body, recorder.heads) == (status, body, 1)
    assert connections == (1 if reused else 2)


@pytest.mark.parametrize("name", RESPONSES)
async def test_response_in_pieces(name: str) -> None:
    raw, status, body, _ = RESPONSES[name]

    async def script(talk: Talk) -> None:
        await talk.request()
        for at in range(len(raw)):
            await talk.send(raw[at : at + 1])
            await anyio.lowlevel.checkpoint()

    recorder, _ = await fetch(script)
    assert (recorder.status, recorder.body) == (status, body)


async def test_head_has_no_body_whatever_its_header_says() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    for answer in (raw, raw + b"hello"):
        recorder, connections = await fetch(repeats(answer), method="HEAD", times=2)
        assert (recorder.status, recorder.body, connections) == (200, b"", 2)


async def test_header_fields() -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-Empty:\r\nX-Many: a\r\nx-many:  b \r\nX-Latin: \xe9\r\nContent-Length: 0\r\n\r\n"
    recorder, _ = await fetch(plays(raw))
    assert recorder.headers.get("x-empty") == ""
    assert list(recorder.headers.values("X-MANY")) == ["a", "b"]
    assert recorder.headers.get("x-latin") == "é"


LOST = {
    "nothing": (b"", "without an answer"),
    "half a status line": (b"HTTP/1.1 20", "before the end of its header"),
    "half a header": (b"HTTP/1.1 200 OK\r\nContent-", "before the end of its header"),
    "interim only": (b"HTTP/1.1 100 Continue\r\n\r\n", "before the end of its header"),
    "short body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "before the end of its body"),
    "no body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "before the end of its body"),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", "before the end of its body"),
    "half a chunk": (CHUNKED + b"5\r\nhel", "before the end of its body"),
    "no end of trailers": (CHUNKED + b"0\r\n", "before the end of its body"),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("reset", [False, True])
async def test_early_close(name: str, reset: bool) -> None:
    raw, message = LOST[name]

    async def script(talk: Talk) -> None:
        await talk.answer(raw)
        if reset:
            talk.reset()

    with pytest.raises(ConnectionLostError) as caught:
        await fetch(script)
    assert reset or message in str(caught.value)  # a reset may overtake what was sent


async def test_reset_does_not_end_a_body_that_lasts_until_the_close() -> None:
    recorder = Recorder()

    async def script(talk: Talk) -> None:
        await talk.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await recorder.seen(5)
        talk.reset()

    async with serve(script) as peer, open_transport() as transport:
        with pytest.raises(ConnectionLostError, match="before the end of its body"):
            await transport.exchange(Target.parse(peer.url), b"", recorder)


FRAMING = {
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "http/0.9": b"<html>hello</html>",
    "http/2": b"HTTP/2 200 OK\r\n\r\n",
    "status": b"HTTP/1.1 2OO OK\r\n\r\n",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "length with plus": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
    "chunk size": CHUNKED + b"xyz\r\nhello\r\n",
    "negative chunk": CHUNKED + b"-5\r\nhello\r\n",
    "chunk too long": CHUNKED + b"3\r\nhello\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "space before colon": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw",
}


@pytest.mark.parametrize("name", FRAMING)
async def test_bad_framing(name: str) -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(FRAMING[name])
        await talk.gone()

    with pytest.raises(FramingError):
        await fetch(script, deadlines=Deadlines(head=5, silence=5))


OVERSIZE = {
    "one field": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000, "header larger than 2000"),
    "many fields": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 600, "header larger than 2000"),
    "whole": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000 + b"\r\nContent-Length: 0\r\n\r\n", "header larger than 2000"),
    "status line": (b"HTTP/1.1 200 " + b"x" * 3000, "header larger than 2000"),
    "interim for ever": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 60, "header larger than 2000"),
    "body": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 6000, "body larger than 5000"),
    "trailers": (CHUNKED + b"2\r\nhi\r\n0\r\n", "around its body"),
}


@pytest.mark.parametrize("name", OVERSIZE)
async def test_bounds(name: str) -> None:
    raw, message = OVERSIZE[name]
    recorder = Recorder()

    async def script(talk: Talk) -> None:
        await talk.answer(raw)
        if name == "trailers":
            await recorder.seen(2)
            await talk.send(b"X: " + b"x" * 3000)
        await talk.gone()

    async with serve(script) as peer, open_transport(bounds=BOUNDS) as transport:
        with pytest.raises(OversizeError, match=message):
            await transport.exchange(Target.parse(peer.url), b"", recorder, Deadlines(head=5, silence=5))


SLOW = {
    "head": (b"", Deadlines(head=0.05)),
    "half a head": (b"HTTP/1.1 200 OK\r\n", Deadlines(head=0.05)),
    "silence": (CHUNKED + b"5\r\nhello\r\n", Deadlines(silence=0.05)),
    "total": (CHUNKED + b"5\r\nhello\r\n", Deadlines(total=0.05)),
}


@pytest.mark.parametrize("name", SLOW)
async def test_deadline(name: str) -> None:
    raw, deadlines = SLOW[name]

    async def script(talk: Talk) -> None:
        await talk.answer(raw)
        await talk.gone()

    with pytest.raises(TransportTimeoutError) as caught:
        await fetch(script, deadlines=deadlines)
    assert caught.value.phase == name.rpartition(" ")[2]


class Refusing:
    """Raises from the method named."""

    def __init__(self, method: str) -> None:
        self._method = method

    def head(self, status: int, headers: Headers) -> None:
        if self._method == "head":
            raise LookupError("head refused")

    def feed(self, data: bytes) -> None:
        raise LookupError("feed refused")


@pytest.mark.parametrize("method", ["head", "feed"])
async def test_sink_that_raises_ends_the_exchange(method: str) -> None:
    closed = anyio.Event()

    async def script(talk: Talk) -> None:
        await talk.answer(CHUNKED + b"5\r\nhello\r\n")
        await talk.gone()
        closed.set()

    async with serve(script) as peer, open_transport() as transport:
        with pytest.raises(LookupError, match=f"{method} refused"):
            await transport.exchange(Target.parse(peer.url), b"", Refusing(method))
        await closed.wait()


async def test_unasked_bytes_close_an_idle_connection() -> None:
    closed = anyio.Event()

    async def script(talk: Talk) -> None:
        await talk.answer(OK)
        await asked.wait()
        await talk.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await talk.gone()
        closed.set()

    asked = anyio.Event()
    async with serve(script) as peer, open_transport() as transport:
        await transport.exchange(Target.parse(peer.url), b"", Recorder())
        asked.set()
        await closed.wait()
        assert len(peer.talks) == 1


async def test_half_open_peer_that_answered_is_answered() -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await talk.half_close()
        await talk.gone()

    recorder, _ = await fetch(script)
    assert recorder.body == b"hello"
