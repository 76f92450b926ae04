"""Who is let in, over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from clawmesh.api.guard import GUESSES, Name
from tests.api.house import events, house

pytestmark = pytest.mark.anyio

PATHS = (
    ("GET", "/api/status"),
    ("GET", "/api/agents"),
    ("GET", "/api/events"),
    ("GET", "/metrics"),
    ("POST", "/api/agents/echo/messages"),
    ("DELETE", "/api/dead/env_1"),
    ("GET", "/v1/models"),
    ("GET", "/nowhere"),
    ("PUT", "/api/agents"),
)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic b3duZXI6eA==", "bearer cm_" + "a" * 43])
async def test_without_a_token_every_path_answers_the_same(tmp_path: Path, authorization: str) -> None:
    async with house(tmp_path) as home, home.client() as client:
        headers = {"authorization": authorization} if authorization else {}
        bodies = set()
        for method, path in PATHS:
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            bodies.add(answer.content)
        assert len(bodies) == 1
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ok"}


async def test_a_token_opens_what_its_scopes_say(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        reader = home.token("reader", "read")
        async with home.client(reader) as client:
            assert (await client.get("/api/agents")).status_code == 200
            posted = await client.post("/api/agents/echo/messages", json={"text": "hi"})
            assert (posted.status_code, posted.json()["error"]["type"]) == (403, "forbidden")
            assert (await client.get("/api/dead")).status_code == 403
            assert (await client.get("/api/events")).status_code == 403
            assert "workers" not in (await client.get("/api/status")).json()
            assert (await client.put("/api/agents")).status_code == 405
            assert (await client.get("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.:1", 200),
        ("127.0.0.1:7411", 200),
        ("[::1]:7411", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:x", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_who_calls_the_server_by_another_name_is_sent_away(tmp_path: Path, host: str, status: int) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        answer = await client.get("/api/status", headers={"host": host})
        assert answer.status_code == status


async def test_two_hosts_and_whole_urls_are_sent_away(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        port = int(home.url.rpartition(":")[2])
        secret = home.token("boss", "admin")
        for head in ("GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost", "GET http://localhost/ HTTP/1.1"):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(f"{head}\r\nauthorization: Bearer {secret}\r\n\r\n".encode())
                assert (await stream.receive()).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://{own}", "http://{own}.evil.example", ""])
async def test_pages_from_elsewhere_are_refused(tmp_path: Path, origin: str) -> None:
    async with house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        own = home.url.removeprefix("http://")
        assert (await client.get("/api/status", headers={"origin": home.url})).status_code == 200
        answer = await client.get("/api/status", headers={"origin": origin.format(own=own)})
        assert answer.status_code == 403


async def test_a_token_in_a_url_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client() as client:
        secret = home.token("boss", "admin")
        answer = await client.get(f"/api/status?access_token={secret}")
        assert answer.status_code == 400
        assert secret not in answer.text


async def test_guessing_ends_soon_and_the_owner_is_let_in_all_the_same(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client() as client:
        for number in range(GUESSES + 1):
            answer = await client.get("/api/status", headers={"authorization": f"Bearer cm_{number}"})
        assert answer.status_code == 429
        assert "retry-after" in answer.headers
        secret = home.token("boss", "admin")
        assert (await client.get("/api/status", headers={"authorization": f"Bearer {secret}"})).status_code == 200


async def test_an_answer_under_way_is_cut_off_when_its_token_is_revoked(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client(home.token("shop", "talk")) as client:
        post: dict[str, Any] = {"json": {"text": "hi"}, "headers": {"accept": "text/event-stream"}}
        async with client.stream("POST", "/api/agents/slow/messages", **post) as answer:
            told = events(answer)
            assert (await anext(told))[0] == "accepted"
            with anyio.fail_after(1.0):
                home.tokens.revoke("shop")
                with pytest.raises(httpx2.TransportError):
                    async for _ in told:
                        pass
        await home.node.app.engine.drained()  # and nobody pays for it any more


async def test_browsers_are_told_how_to_protect_what_they_show(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client() as client:
        for path in ("/healthz", "/api/status", "/nowhere"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"


def test_what_a_client_calls_a_server() -> None:
    assert Name.parse("[::1]:80") == Name("::1", "80")
    assert Name.parse("Host.Example.:80") == Name("host.example", "80")
    assert Name.parse("host") == Name("host", "")
    for wrong in ("", ":80", "[::1]x", "[::1", "a:b", "a:80:90", "a:²"):
        assert Name.parse(wrong) is None, wrong
