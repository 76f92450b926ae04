"""The official client, in both generations, with the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.mcp.house import mcp_house

mcp_client = pytest.importorskip("mcp.client", reason="needs the package mcp")
streamable = pytest.importorskip("mcp.client.streamable_http", reason="needs the package mcp")
pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_client_talks_to_an_agent(tmp_path: Path, mode: str) -> None:
    async with mcp_house(tmp_path) as home:
        headers = {"authorization": f"Bearer {home.token('boss', 'admin')}"}
        async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
            transport = streamable.streamable_http_client(f"{home.url}/mcp", http_client=http)
            async with mcp_client.Client(transport, mode=mode) as client:
                listed: Any = await client.list_tools()
                assert [tool.name for tool in listed.tools] == ["busy", "echo", "slow", "teller"]
                result: Any = await client.call_tool("echo", {"message": "hi", "session": "s1"})
                assert result.content[0].text == "You said: hi"
                failed: Any = await client.call_tool("busy", {"message": "hi"})
                assert failed.is_error
                read: Any = await client.read_resource("clawmesh://sessions/echo/s1")
                assert "You said: hi" in read.contents[0].text
        assert home.warnings == []
