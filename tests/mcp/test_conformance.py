"""The official conformance suite, as far as agents can be the tools that it asks for."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from clawmesh.server.request import Receive, Scope, Send
from clawmesh.server.server import open_server
from tests.api.house import CONFIG
from tests.mcp.house import mcp_house

MODULES = Path(__file__).parents[2] / "build" / "cache" / "node" / "node_modules"
NODE = next(MODULES.glob("node-linux-*/bin/node"), MODULES / "node")
SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not (NODE.is_file() and SUITE.is_file()),
        reason="needs node 22 and the conformance suite, which `python3 build/make.py test` fetches",
    ),
]
AGENTS = """
[agents.test_simple_text]
type = "simple"
[agents.test_image_content]
type = "picture"
[agents.test_error_handling]
type = "fails"
[agents.test_tool_with_progress]
type = "steps"
"""
TOOLS = ("tools-list", "tools-call-simple-text", "tools-call-image", "tools-call-error", "tools-call-with-progress")
SHARED = (*TOOLS, "server-sse-multiple-streams", "resources-list", "dns-rebinding-protection")
LEGACY = (*SHARED, "server-initialize", "server-session-lifecycle", "ping", "logging-set-level")
MODERN = (*SHARED, "sep-2164-resource-not-found", "http-header-validation")


@pytest.mark.parametrize(
    ("version", "scenario"),
    [*(("2025-11-25", each) for each in LEGACY), *(("2026-07-28", each) for each in MODERN)],
)
async def test_the_suite_is_content(tmp_path: Path, version: str, scenario: str) -> None:
    plugin = Path(__file__).parent / "plugins" / "conformance.py"
    async with mcp_house(tmp_path / "data", CONFIG + AGENTS, plugin) as home:
        bearer = b"Bearer " + home.token("suite", "talk", "read").encode()

        async def bearing(scope: Scope, receive: Receive, send: Send) -> None:
            """Say the token, which the suite cannot."""
            scope["headers"].append((b"authorization", bearer))
            await home.server.application(scope, receive, send)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
            command = [str(NODE), str(SUITE), "server", "--url", url, "--scenario", scenario, "--spec-version", version]
            async with open_server(bearing, [listening], failed=home.warnings.append):
                done = await anyio.to_thread.run_sync(
                    lambda: subprocess.run(
                        [*command, "-o", str(tmp_path / "out")], capture_output=True, text=True, timeout=50
                    )
                )
        assert done.returncode == 0, done.stdout + done.stderr
        assert home.warnings == []
