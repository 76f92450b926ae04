"""What is sent to break in or to break down is refused, and nothing comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mcp.house import BOTH, begin, legacy, mcp_house, modern

pytestmark = pytest.mark.anyio
JSON = {**BOTH, "content-type": "application/json", "mcp-protocol-version": "2025-11-25"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b"1", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":99999999999999999999999999,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 100_000 + b'","method":"ping"}', -32600),
    ],
)
async def test_what_is_no_message_is_refused(tmp_path: Path, body: bytes, code: int) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        answer = await client.post("/mcp", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert len(answer.content) < 1000
        assert home.warnings == []


async def test_the_wrong_form_is_refused_by_its_status(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        assert (await client.get("/mcp")).status_code == 405
        assert (
            await client.post("/mcp", content=b"{}", headers={**JSON, "content-type": "text/plain"})
        ).status_code == 415
        assert (await client.post("/mcp", content=b"{}", headers={**JSON, "accept": "text/html"})).status_code == 406
        assert (await client.post("/mcp", content=b" " * 5_000_000, headers=JSON)).status_code == 413
        assert (await client.post("/mcp", **legacy("ping"), params={})).status_code == 200
    async with mcp_house(tmp_path) as home, home.client() as client:
        assert (await client.post("/mcp", **legacy("ping"))).status_code == 401


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("mcp-protocol-version", "1900-01-01", -32020),
        ("mcp-protocol-version", "2025-11-25", -32020),
        ("mcp-method", "tools/list", -32020),
        ("mcp-name", "teller", -32020),
        ("mcp-name", "=?base64?%%?=", -32020),
        ("mcp-name", "=?base64?ZWNobw==?=", None),
    ],
)
async def test_headers_say_what_the_body_says(tmp_path: Path, header: str, value: str, code: int | None) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        message = modern("tools/call", {"name": "echo", "arguments": {"message": "hi"}})
        message["headers"][header] = value
        answer = await client.post("/mcp", **message)
        assert answer.status_code == (400 if code else 200)
        if code:
            assert answer.json()["error"]["code"] == code


async def test_a_revision_that_is_not_spoken_is_refused(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home, home.client(home.token("boss", "admin")) as client:
        message = modern("tools/list")
        message["json"]["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01"
        message["headers"]["mcp-protocol-version"] = "2099-01-01"
        error = (await client.post("/mcp", **message)).json()["error"]
        assert (error["code"], error["data"]["requested"]) == (-32022, "2099-01-01")
        assert (await client.post("/mcp", **legacy("ping", version="2099-01-01"))).status_code == 400
        for removed in ("ping", "initialize", "logging/setLevel"):
            answer = await client.post("/mcp", **modern(removed))
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


async def test_the_visit_of_another_token_is_not_found(tmp_path: Path) -> None:
    async with mcp_house(tmp_path) as home:
        shop, rival = home.token("shop", "talk"), home.token("rival", "talk")
        async with home.client(shop) as one, home.client(rival) as other:
            visit = await begin(one)
            for wrong in (visit, visit[:-1], f"{visit}0", "x", "__", "2099-01-01_0_0"):
                assert (await other.post("/mcp", **legacy("ping", visit=wrong))).status_code == 404
                assert (await other.delete("/mcp", headers={"mcp-session-id": wrong})).status_code == 404
            assert (await one.post("/mcp", **legacy("ping", visit=visit))).status_code == 200
