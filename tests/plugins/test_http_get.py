from __future__ import annotations

from typing import Any

import pytest

from clawmesh.errors import ConnectionLostError, EgressError, ToolError, TransportTimeoutError
from plugins.http_get import HttpGet
from plugins.http_get.reader import Reader
from tests.http.peer import Peer, Talk, plays, serve

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


def page(body: bytes, kind: str = "text/plain", status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def get(peer: Peer, path: str = "/", *, raw: bool = False, **config: Any) -> str:
    tool = HttpGet(**{"networks": ["127.0.0.0/8"], "ports": [peer.port], **config})
    return await tool.call(NOWHERE, {"url": f"{peer.url}{path}", "raw": raw})


async def test_text_is_given_with_status_type_and_address() -> None:
    async with serve(plays(page("Grüße".encode()))) as peer:
        assert await get(peer, "/a") == f"200 text/plain {peer.url}/a\n\nGrüße"


async def test_an_error_page_is_read_as_well() -> None:
    async with serve(plays(page(b'{"error": "gone"}', "application/json", "404 Not Found"))) as peer:
        assert await get(peer) == f'404 application/json {peer.url}/\n\n{{"error": "gone"}}'


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        ('text/plain; charset="Shift_JIS"', "日本".encode("shift_jis"), "日本"),
        ("text/plain; charset=nonsense", "é".encode(), "é"),
        ("text/plain; charset=hex", b"ff", "ff"),
        ("text/plain", b"a\xffb", "a\ufffdb"),
        ("text/html", b'<meta charset="latin1"><p>\xfc</p>', "ü"),
        ("application/vnd.api+json", b"{}", "{}"),
        ("application/octet-stream", b"just text", "just text"),
    ],
)
async def test_text_is_decoded_as_it_says(kind: str, body: bytes, text: str) -> None:
    async with serve(plays(page(body, kind))) as peer:
        assert (await get(peer)).partition("\n\n")[2] == text


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/octet-stream", "video/mp4"])
async def test_binary_data_is_declined(kind: str) -> None:
    async with serve(plays(page(b"\x89PNG\0\0", kind))) as peer:
        with pytest.raises(ToolError) as caught:
            await get(peer)
    assert str(caught.value) == f"{peer.url}/ holds {kind}; only text can be read"


async def test_html_becomes_text_unless_it_is_wanted_raw() -> None:
    html = b"<title>T</title><style>p {}</style><h1>Big</h1><p>one <b>two</b><br>three"
    async with serve(plays(page(html, "text/html; charset=utf-8"))) as peer:
        assert (await get(peer)).partition("\n\n")[2] == "T\n\nBig\n\none two\nthree"
        assert (await get(peer, raw=True)).partition("\n\n")[2] == html.decode()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<a href='/x?y=1'>here</a>", "here (http://h/x?y=1)"),
        ("<a>here</a> <a href='http://['>bad</a>", "here bad (http://[)"),
        ("<script>evil()</script>a &amp; b&nbsp;c", "a & b c"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<!-- secret --><p>un<b>closed", "unclosed"),
        ("</script></a></p>text", "text"),
    ],
)
def test_html_is_read_as_a_person_would(html: str, text: str) -> None:
    assert Reader.read(html, "http://h/") == text


async def test_a_page_is_read_up_to_its_bound() -> None:
    async with serve(plays(page(b"x" * 5000))) as peer:
        assert (await get(peer, max_bytes=100)).endswith("x" * 100 + "\n[only the first 100 bytes were read]")


async def test_a_redirect_is_followed_and_the_last_address_named() -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(page(b"", status="302 Found", more="Location: /there\r\n"))
        await talk.answer(page(b"arrived"))

    async with serve(script) as peer:
        assert await get(peer) == f"200 text/plain {peer.url}/there\n\narrived"


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/", "http://[::1]/", "http://localhost./", "http://2130706433/"])
async def test_a_redirect_to_where_the_policy_forbids_is_refused(target: str) -> None:
    async with serve(plays(page(b"", status="302 Found", more=f"Location: {target}\r\n"))) as peer:
        with pytest.raises(EgressError):
            await get(peer)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://0177.1/", "http://[::ffff:10.0.0.1]/", "http://LOCALHOST/"]
)
async def test_nothing_private_is_reached_by_default(url: str) -> None:
    with pytest.raises(EgressError):
        await HttpGet().call(NOWHERE, {"url": url})


async def test_only_allowed_hosts_are_reached() -> None:
    tool = HttpGet(allow=["*.example.com"], deny=["bad.example.com"])
    for url in ("http://example.org/", "http://bad.example.com/", "http://good.example.com:8080/"):
        with pytest.raises(EgressError):
            await tool.call(NOWHERE, {"url": url})


async def test_a_server_that_is_silent_is_left() -> None:
    async with serve(lambda talk: talk.gone()) as peer:
        with pytest.raises(TransportTimeoutError):
            await get(peer, timeout=0.3)


async def test_half_a_page_is_no_page() -> None:
    async with serve(plays(page(b"whole")[:-2])) as peer:
        with pytest.raises(ConnectionLostError):
            await get(peer)
