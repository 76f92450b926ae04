"""Pages fetched on behalf of a model, and what a hostile server can make of that: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from clawmesh.errors import EgressError, FramingError, TransportError, TransportTimeoutError, URLError
from clawmesh.http.dns import Address
from clawmesh.http.egress import EgressPolicy
from clawmesh.http.fetch import Page, Reach, fetch
from clawmesh.http.proxy import Proxies
from clawmesh.http.target import Target
from clawmesh.http.transport import Transport, open_transport
from tests.http.peer import OK, Peer, Recorder, Script, Talk, plays, repeats, serve

pytestmark = pytest.mark.anyio

# The test's server has one address of this machine, which its policy admits as if it were a host of the internet.
HOST = "127.0.0.2"
CLOSED = EgressPolicy(networks=(f"{HOST}/32",), ports=())
DIRECT = Proxies()


@dataclass
class Site:
    """A server for every host name of a test, and what it was asked for."""

    peer: Peer
    transport: Transport
    requests: list[bytes] = field(default_factory=list)

    async def get(self, url: str, policy: EgressPolicy = CLOSED, **options: Mapping[str, str] | Reach) -> Page:
        url = url.replace("PORT", str(self.peer.port))
        return await fetch(self.transport, policy, url, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def site(script: Script, proxies: Proxies = DIRECT) -> AsyncIterator[Site]:
    async def resolve(host: str, port: int) -> list[Address]:
        return [(HOST, port)]

    async with serve(script, host=HOST) as peer, open_transport(resolve=resolve, proxies=proxies) as transport:
        yield Site(peer, transport)


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def redirecting(requests: list[bytes], *locations: str) -> Script:
    """Return a script that redirects to one location after another, and then answers."""
    answers = [*map(redirect, locations), OK]

    async def script(talk: Talk) -> None:
        while True:
            requests.append(await talk.request())
            await talk.send(answers[len(requests) - 1].replace(b"PORT", requests[0].split(b":")[2].split(b"\r")[0]))

    return script


async def test_page() -> None:
    async with site(repeats(b"HTTP/1.1 404 No\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno")) as found:
        page = await found.get("http://a.example:PORT/x")
        assert (page.status, page.body, page.truncated, page.headers.get("x-a")) == (404, b"no", False, "b")
        assert page.url == f"http://a.example:{found.peer.port}/x"


@pytest.mark.parametrize("length", [b"", b"Content-Length: 3000000\r\n"])
async def test_body_is_cut_at_its_bound(length: bytes) -> None:
    async def endless(talk: Talk) -> None:
        await talk.answer(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        while True:
            await talk.send(b"x" * 10_000)

    async with site(endless) as found:
        page = await found.get("http://a.example:PORT/", reach=Reach(body_bytes=12_345))
    assert (len(page.body), page.truncated) == (12_345, True)


async def test_body_of_just_the_bound_is_whole() -> None:
    async with site(plays(OK)) as found:
        page = await found.get("http://a.example:PORT/", reach=Reach(body_bytes=2))
    assert (page.body, page.truncated) == (b"ok", False)


async def test_redirects_are_followed() -> None:
    requests: list[bytes] = []
    script = redirecting(requests, "/two", "three?x=1", "//a.example:PORT/four", "http://b.example:PORT/five")
    async with site(script) as found:
        page = await found.get("http://a.example:PORT/one/")
        assert (page.body, page.url) == (b"ok", f"http://b.example:{found.peer.port}/five")
    assert [request.split(b" ")[1] for request in requests] == [b"/one/", b"/two", b"/three?x=1", b"/four", b"/five"]


@pytest.mark.parametrize(
    ("to", "path"), [("/ü?q=é", b"/%C3%BC?q=%C3%A9"), ("/%C3%BC", b"/%C3%BC"), ("/a b", b"/a%20b")]
)
async def test_redirect_to_what_is_not_ascii(to: str, path: bytes) -> None:
    requests: list[bytes] = []
    async with site(redirecting(requests, to)) as found:
        await found.get("http://a.example:PORT/")
    assert requests[1].split(b" ")[1] == path


async def test_redirects_have_a_bound() -> None:
    requests: list[bytes] = []
    async with site(redirecting(requests, *["/again"] * 10)) as found:
        with pytest.raises(TransportError, match="redirects more than 3 times"):
            await found.get("http://a.example:PORT/", reach=Reach(redirects=3))
    assert len(requests) == 4


async def test_redirect_without_location_is_a_page() -> None:
    async with site(plays(b"HTTP/1.1 304 Not Modified\r\n\r\n")) as found:
        assert (await found.get("http://a.example:PORT/")).status == 304


@pytest.mark.parametrize(
    ("to", "error"),
    [
        ("http://127.0.0.1:PORT/", EgressError),
        ("http://localhost:PORT/", EgressError),
        ("http://2130706433:PORT/", EgressError),
        ("http://[::ffff:127.0.0.1]:PORT/", EgressError),
        ("//0x7f.1:PORT/", EgressError),
        ("http://169.254.169.254/latest/meta-data/", EgressError),
        ("file:///etc/passwd", URLError),
        ("gopher://a.example/", URLError),
        ("http://user:pass@b.example/", URLError),
    ],
)
async def test_redirect_to_where_the_policy_forbids(to: str, error: type[TransportError]) -> None:
    requests: list[bytes] = []
    async with site(redirecting(requests, to)) as found:
        with pytest.raises(error):
            await found.get("http://a.example:PORT/")
        assert len(found.peer.talks) == 1
    assert len(requests) == 1


CREDENTIALS = {"Authorization": "Bearer key", "Cookie": "c=1", "X-Api-Key": "k", "Accept": "text/html"}


@pytest.mark.parametrize(
    ("to", "kept"),
    [
        ("/same", True),
        ("http://a.example:PORT/same", True),
        ("http://b.example:PORT/", False),
        ("http://A.b:PORT", False),
    ],
)
async def test_credentials_stay_with_their_origin(to: str, kept: bool) -> None:
    requests: list[bytes] = []
    async with site(redirecting(requests, to, "http://a.example:PORT/back")) as found:
        await found.get("http://a.example:PORT/", headers=CREDENTIALS)
    first, second, third = (request.lower() for request in requests)
    assert b"bearer key" in first
    for secret in (b"bearer key", b"c=1", b"x-api-key"):
        assert (secret in second) is kept
        assert (secret in third) is kept
    assert b"accept: text/html" in third


async def test_credentials_stay_with_their_scheme_and_port() -> None:
    other: list[bytes] = []

    async def listen(talk: Talk) -> None:
        other.append(await talk.answer(OK))

    async with serve(listen, host=HOST) as peer, site(plays(redirect(f"http://a.example:{peer.port}/"))) as found:
        assert (await found.get("http://a.example:PORT/", headers=CREDENTIALS)).body == b"ok"
    assert b"key" not in other[0].lower()


async def test_name_that_changes_its_answer_gains_nothing() -> None:
    answers = [[HOST], ["127.0.0.1"], [HOST, "127.0.0.1"], ["10.0.0.1"], [HOST]]

    async def resolve(host: str, port: int) -> list[Address]:
        return [(address, port) for address in answers.pop(0)]

    once = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    async with serve(plays(once), host=HOST) as peer, open_transport(resolve=resolve) as transport:
        url = f"http://a.example:{peer.port}/"
        assert (await fetch(transport, CLOSED, url)).body == b"ok"
        for _ in range(3):
            with pytest.raises(EgressError, match="not on the public internet"):
                await fetch(transport, CLOSED, url)
        assert (await fetch(transport, CLOSED, url)).body == b"ok"
        assert len(peer.talks) == 2


async def test_connection_made_without_the_guard_is_not_used() -> None:
    async with serve(repeats(OK)) as peer, open_transport() as transport:
        await transport.exchange(Target.parse(f"http://localhost:{peer.port}/"), b"", Recorder())
        policy = EgressPolicy(ports=(), allow=("*",))
        guarded = transport.guarded(policy)
        with pytest.raises(EgressError, match="localhost is refused"):
            await guarded.exchange(Target.parse(f"http://localhost:{peer.port}/"), b"", Recorder())
        assert len(peer.talks) == 1


async def test_proxy_is_not_used() -> None:
    async with serve(plays(OK)) as proxy, site(plays(OK), Proxies(http=proxy.url)) as found:
        assert (await found.get("http://a.example:PORT/")).body == b"ok"
        assert proxy.talks == []


async def test_compressed_answer_is_refused() -> None:
    async with site(plays(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx")) as found:
        with pytest.raises(FramingError, match="compressed"):
            await found.get("http://a.example:PORT/")


@pytest.mark.parametrize("first", [b"", redirect("/again")])
async def test_deadline_is_for_all_redirects_together(first: bytes) -> None:
    async def script(talk: Talk) -> None:
        if first:
            await talk.answer(first)
        await talk.gone()

    async with site(script) as found:
        with pytest.raises(TransportTimeoutError):
            await found.get("http://a.example:PORT/", reach=Reach(seconds=0.05))
