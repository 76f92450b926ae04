"""A configuration that changes while the mesh runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from clawmesh.cluster.hold import hold
from clawmesh.cluster.node import Node, Place, open_node
from clawmesh.cluster.reload import Reload, fingerprint, forget, kept
from clawmesh.cluster.task import beside
from clawmesh.config.load import load
from clawmesh.config.location import Places
from clawmesh.config.rendering import plain
from clawmesh.errors import ConfigError, JointError, UnknownError
from clawmesh.mesh.address import Address
from clawmesh.messages import Message

pytestmark = pytest.mark.anyio

BEFORE = """
[agents.one]
backend = "script"
[agents.held]
backend = "slowly"
[backends.script]
model = "m"
type = "scripted"
rules = [{ say = "as it was" }]
[backends.slowly]
model = "m"
type = "scripted"
pace = 0.1
rules = [{ say = "one two three" }]
"""
AFTER = BEFORE.replace("as it was", "as it is now").replace("[agents.held]", "[agents.two]") + "[mesh]\nhops = 3\n"


class House:
    """A mesh whose configuration is in a file, and what was said about that."""

    def __init__(self, node: Node, file: Path) -> None:
        self.node = node
        self.file = file
        self.said: list[str] = []
        self.warned: list[str] = []
        self.news = anyio.Event()
        seen = fingerprint(node.app.config, node.app.places.data)
        self.reload = Reload(node, seen, self._say, self._warn)

    def _say(self, text: str) -> None:
        self.said.append(text)
        self.news.set()

    def _warn(self, text: str) -> None:
        self.warned.append(text)
        self.news.set()

    async def heard(self) -> None:
        """Wait for the next word."""
        with anyio.fail_after(15):
            await self.news.wait()
        self.news = anyio.Event()

    async def ask(self, agent: str) -> str:
        outcome = await self.node.app.engine.ask(Address(agent, "s"), Message.user("hi"), sender="user")
        return outcome.message.text if outcome.message else str(outcome.error)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    file, data = folder / "clawmesh.toml", folder / "data"
    file.write_text(BEFORE)
    with hold(data, "serve"):
        opening = open_node(load(file, {}), Places(file, data), {}, lambda _: None, Place(lambda: None))
        async with opening as node:
            yield House(node, file)


async def test_what_is_new_comes_into_force_and_what_is_under_way_goes_on(tmp_path: Path) -> None:
    async with house(tmp_path) as home, anyio.create_task_group() as tasks:
        assert await home.ask("one") == "as it was"
        held: list[str] = []

        async def hold_on() -> None:
            held.append(await home.ask("held"))

        tasks.start_soon(hold_on)
        while not home.node.app.engine.under_way:
            await anyio.lowlevel.checkpoint()
        home.file.write_text(AFTER)
        reloaded = await home.reload.run()
        assert (reloaded.version, reloaded.late) == (2, ())
        assert await home.ask("one") == "as it is now"
        assert await home.ask("two") == "one two three"
        with pytest.raises(UnknownError, match='no agent "held"'):
            await home.ask("held")
        assert home.node.app.engine.settings.hops == 3
    assert held == ["one two three"]


async def test_a_wrong_one_leaves_the_old_one_in_force_whole(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for wrong in ("[agents.one]\nbackend = 'nobody'\n", "[agents", AFTER + "[agents.x]\ntools = ['nothing']\n"):
            home.file.write_text(wrong)
            with pytest.raises(ConfigError):
                await home.reload.run()
            assert await home.ask("one") == "as it was"
            assert home.node.app.version == 1
        home.file.unlink()
        with pytest.raises(ConfigError):
            await home.reload.run()
        assert await home.ask("one") == "as it was"


async def test_what_only_a_restart_can_change_is_said(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        home.file.write_text(AFTER + "workers = 3\n[api]\nport = 1\n[journal]\nkeep = '7d'\n")
        assert (await home.reload.run()).late == ("journal", "api", "mesh.workers")
        assert home.said == [
            "the configuration was read again and is in force; for journal, api, mesh.workers start it again"
        ]


async def test_a_change_of_the_file_is_noticed_also_after_a_wrong_one(tmp_path: Path) -> None:
    async with house(tmp_path) as home, beside(home.reload.follow):
        await anyio.wait_all_tasks_blocked()
        home.file.write_text("[agents")
        await home.heard()
        assert home.warned[0].startswith("the configuration has changed and cannot be used; the old one stays in force")
        assert await home.ask("one") == "as it was"
        home.file.write_text(AFTER)
        await home.heard()
        assert await home.ask("one") == "as it is now"
        home.reload.ask()
        await home.heard()
        assert len(home.said) == 2


async def test_files_that_are_read_tell_of_a_change(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text(BEFORE)
    config = load(file, {})
    before = fingerprint(config, tmp_path)
    assert fingerprint(config, tmp_path) == before
    (tmp_path / "agents.d").mkdir()
    assert fingerprint(config, tmp_path) != before


async def test_what_is_in_force_is_kept_for_workers_that_come_later(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        app = home.node.app
        before = app.config
        assert kept(before, app.places.data, {}) is before
        home.file.write_text(AFTER)
        await home.reload.run()
        home.file.write_text("[agents")
        later = kept(before, app.places.data, {})
        assert plain(later) == plain(app.config)
        assert later.path == home.file
        forget(app.places.data)
        assert kept(before, app.places.data, {}) is before


async def test_a_change_that_meets_a_worker_in_restart_comes_into_force_afterwards(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        prepare, asked = home.node.verbs["prepare"], 0

        async def away() -> object:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise JointError("nobody answers")
            return await prepare()

        home.node.offer("prepare", away)
        async with beside(home.reload.follow):
            home.file.write_text(AFTER)
            await home.heard()
        assert (asked, home.warned) == (3, [])
        assert await home.ask("one") == "as it is now"
