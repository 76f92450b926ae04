"""The dashboard in a real browser, in front of a mesh that does not exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from clawmesh import web
from tests.api.house import house
from tests.web.fake import Fake, serving

HERE = Path(__file__).parent
NODE = HERE.parents[1] / "build" / "cache" / "node"
LINES = 500

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Run on one loop only: what the browser sees does not depend on it."""
    return "asyncio"


@pytest.fixture(scope="module")
def browser() -> dict[str, str]:
    """Return the environment of a script that drives the browser, or skip whoever asks."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: build/make.py test installs it where it may")
    if shutil.which("node") is None:
        pytest.skip("node is not installed: build/make.py test installs it where it may")
    if not (NODE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"no playwright-core in {NODE}: build/make.py test fetches it where the machine allows")
    return {**os.environ, "CLAWMESH_CHROMIUM": chromium, "CLAWMESH_NODE": str(NODE)}


async def prove(name: str, fake: Fake, browser: dict[str, str]) -> dict[str, Any]:
    async with serving(fake) as address:
        return await prove_at(address, name, browser)


async def prove_at(address: str, name: str, browser: dict[str, str]) -> dict[str, Any]:
    """Run one of the proofs; the script says what it has found wrong."""
    done = await anyio.run_process(["node", str(HERE / "proof.mjs"), address, name], env=browser, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.anyio
async def test_every_view_stands_in_light_and_dark_on_a_screen_and_on_a_phone(browser: dict[str, str]) -> None:
    await prove("views", Fake(), browser)


@pytest.mark.anyio
async def test_a_token_is_asked_for_kept_in_the_tab_and_asked_for_again(browser: dict[str, str]) -> None:
    fake = Fake()
    await prove("token", fake, browser)
    assert not any("cm_o" in each for each in fake.asked if "/test/" not in each)


@pytest.mark.anyio
@pytest.mark.parametrize("policy", [web.POLICY, ""], ids=["with the policy", "without it"])
async def test_nothing_that_anybody_wrote_runs(browser: dict[str, str], policy: str) -> None:
    await prove("hostile", Fake(hostile=True, policy=policy), browser)


@pytest.mark.anyio
async def test_an_answer_streams_and_can_be_stopped(browser: dict[str, str]) -> None:
    fake = Fake()
    await prove("chat", fake, browser)
    assert fake.cancelled == 2


@pytest.mark.anyio
async def test_the_real_api_is_what_the_dashboard_speaks(browser: dict[str, str], tmp_path: Path) -> None:
    async with house(tmp_path) as mesh:
        token = mesh.token("browser", "admin")
        await prove_at(mesh.url, "real", {**browser, "CLAWMESH_TOKEN": token})


@pytest.mark.anyio
async def test_the_keyboard_is_enough(browser: dict[str, str]) -> None:
    await prove("keyboard", Fake(), browser)


@pytest.mark.anyio
async def test_letters_and_configuration_can_be_dealt_with(browser: dict[str, str]) -> None:
    fake = Fake()
    await prove("deeds", fake, browser)
    assert "POST /api/dead/env_1m8dead00000/redrive" in fake.asked
    assert "DELETE /api/dead/env_1m8dead00001" in fake.asked


@pytest.mark.anyio
async def test_ten_thousand_sessions_scroll_in_few_elements(browser: dict[str, str]) -> None:
    await prove("scroll", Fake(), browser)


@pytest.mark.anyio
async def test_thousands_of_events_a_second_leave_the_page_at_ease(browser: dict[str, str]) -> None:
    await prove("burst", Fake(speed=2000), browser)


@pytest.mark.anyio
async def test_a_broken_stream_of_events_is_taken_up_again(browser: dict[str, str]) -> None:
    fake = Fake()
    await prove("resume", fake, browser)
    assert [int(each) > 0 for each in fake.resumed] == [True]


# The files


def test_the_page_and_what_it_loads_are_served() -> None:
    files = {file.path: file for file in web.files()}
    assert files["/"].media_type == "text/html; charset=utf-8"
    assert files["/static/app.js"].media_type == "text/javascript; charset=utf-8"
    assert all(re.fullmatch(r'"[0-9a-f]{32}"', file.etag) for file in files.values())
    loaded = re.findall(r'(?:href|src)="(static/[^"]+)"', files["/"].content.decode())
    assert len(loaded) > 5
    assert {f"/{each}" for each in loaded} <= files.keys()


def test_modules_import_what_is_there() -> None:
    files = {file.path: file for file in web.files()}
    for path, file in files.items():
        for name in re.findall(r'from "(\.[^"]+)"', file.content.decode()):
            assert os.path.normpath(os.path.join(os.path.dirname(path), name)) in files, f"{path}: {name}"


@pytest.mark.parametrize("file", [*web.files()], ids=lambda file: file.path)
def test_a_file_is_short_and_keeps_to_the_policy(file: web.File) -> None:
    text = file.content.decode()
    assert len(text.splitlines()) <= LINES
    assert (
        re.findall(r"(?:inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function|@import", text) == []
    )
    assert [each for each in re.findall(r"https?://[^\s\"']+", text) if each != "http://www.w3.org/2000/svg"] == []
    if file.path == "/":
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text) == []


def test_the_scripts_can_be_parsed(browser: dict[str, str]) -> None:
    for file in sorted(web.FOLDER.rglob("*.js")):
        done = subprocess.run(
            ["node", "--check", "--input-type=module", "-"], input=file.read_bytes(), capture_output=True
        )
        assert done.returncode == 0, f"{file}: {done.stderr.decode()}"
