"""OpenAI's own client for JavaScript against the real server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import anyio
import pytest

from clawmesh.messages import ToolCall
from clawmesh.testing import RehearsedBackend, called, said
from tests.api.openai.hall import hall
from tests.conftest import ROOT

PACKAGE = ROOT / "build" / "cache" / "node" / "node_modules" / "openai"
NODE = shutil.which("node")


@pytest.mark.anyio
@pytest.mark.skipif(NODE is None, reason="there is no node")
@pytest.mark.skipif(not PACKAGE.is_dir(), reason=f"{PACKAGE} is not there: npm i --prefix build/cache/node openai")
async def test_the_client_for_javascript_is_served() -> None:
    backend = RehearsedBackend(
        said("whole"),
        said("streamed"),
        called(ToolCall("w", "weather", '{"town":"Ulm"}')),
        said("it rains"),
        said("response"),
        said("events"),
    )
    script = Path(__file__).with_name("client.cjs")
    async with hall(backend) as place:
        done = await anyio.run_process([str(NODE), str(script), str(PACKAGE), place.url], stderr=None)
    assert json.loads(done.stdout) == {
        "models": ["helper"],
        "whole": "whole",
        "stream": "streamed",
        "tools": "it rains",
        "asked": ["Ulm"],
        "response": "response",
        "events": "events",
        "error": ["NotFoundError", 404, "model_not_found", "model"],
    }
