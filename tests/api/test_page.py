"""The dashboard as it is served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.house import house

pytestmark = pytest.mark.anyio


async def test_the_page_and_all_that_it_loads_are_for_everybody(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.client() as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        wanted = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
        assert wanted
        for path in wanted:
            found = await client.get(path)
            assert found.status_code == 200, path
            again = await client.get(path, headers={"if-none-match": found.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert (await client.get("/static/none.js")).status_code == 404
        assert (await client.get("/static/../api/status")).status_code == 401
        assert (await client.get("/static/%2e%2e/api/status")).status_code in (401, 404)
        assert (await client.post("/")).status_code == 405
