"""The whole of it in one process: configuration, plugins, agents, mesh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clawmesh.app import App, open_app
from clawmesh.config.load import load
from clawmesh.config.location import Places
from clawmesh.errors import ConfigError, FailedError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Message, Piece, ToolResult
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.source import Source, read
from clawmesh.plugin.trust import Trust

pytestmark = pytest.mark.anyio

PLUGIN = '''
from clawmesh import Message, RefusedError, ToolSpec


async def relay(context, message, *, to: str, times: int = 1):
    """Ask one agent several times."""
    answers = [await context.mesh.ask(to, message.text) for _ in range(times)]
    return " | ".join(answer.text for answer in answers)


async def poll(context, message):
    """Ask two agents and take what the first one says."""
    answers = await context.mesh.gather(["one", "two"], message, mode="all")
    return ", ".join(sorted(answer.message.text for answer in answers))


def shout(text: str) -> str:
    """Say it loud."""
    return text.upper()


class Prefix:
    """Put a word before a text."""

    def __init__(self, *, word: str) -> None:
        self._word = word
        parameters = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        self.spec = ToolSpec("prefix", "Put a word before a text.", parameters)

    async def call(self, context, arguments):
        return f"{self._word} {arguments['text']}"


def register_agents():
    return {"relay": relay, "poll": poll}


def register_tools():
    return {"shout": shout, "prefix": Prefix}


def before_tool(call):
    if "forbidden" in call.arguments:
        raise RefusedError("not that word")
'''

CONFIG = """
[defaults]
backend = "script"
model = "plain"

[agents.one]
[agents.two]

[agents.front]
type = "relay"
to = "one"
times = 2
peers = ["one"]

[agents.crowd]
type = "poll"
peers = ["*"]

[agents.loud]
model = "loud"
tools = ["shout"]

[agents.polite]
model = "polite"
tools = ["dear", "gentle"]

[agents.fallback]
backend = ["broken", "script"]

[agents.keeper]
model = "keeper"
memory = "notes"

[tools.dear]
type = "prefix"
word = "Dear"

[tools.gentle]
type = "prefix"
word = "Gentle"

[memories.notes]
type = "ram"

[backends.broken]
type = "scripted"
rules = [{ fail = "quota" }]

[backends.script]
type = "scripted"
model = "spare"
rules = [
    { model = "loud", after = "shout", say = "{result}!" },
    { model = "loud", calls = [{ tool = "shout", arguments = { text = "{text}" } }] },
    { model = "polite", after = "dear", say = "{result}" },
    { model = "polite", when = "gentle (.*)", calls = [{ tool = "gentle", arguments = { text = "{1}" } }] },
    { model = "polite", after = "gentle", say = "{result}" },
    { model = "polite", calls = [{ tool = "dear", arguments = { text = "{text}" } }] },
    { model = "keeper", when = "keep (.*)", after = "remember", say = "kept" },
    { model = "keeper", when = "keep (.*)", calls = [{ tool = "remember", arguments = { text = "{1}" } }] },
    { model = "keeper", after = "recall", say = "{result}" },
    { model = "keeper", calls = [{ tool = "recall", arguments = { query = "{text}" } }] },
    { model = "spare", say = "the spare model heard {text}" },
    { say = "heard {text}" },
]
"""


@asynccontextmanager
async def opened(folder: Path, config: str = CONFIG, *, trusted: bool = True) -> AsyncIterator[tuple[App, list[str]]]:
    path, plugin, data = folder / "clawmesh.toml", folder / "plugins" / "house.py", folder / "data"
    path.write_text(config)
    plugin.parent.mkdir(mode=0o700)
    plugin.write_text(PLUGIN)
    plugin.chmod(0o600)
    data.mkdir(mode=0o700)
    if trusted:
        source = Source.at(plugin)
        Trust.open(Folders.of(data, path).trust).add(source, read(source))
    warnings: list[str] = []
    async with open_app(load(path, {}), Places(path, data), {}, warnings.append) as app:
        yield app, warnings


async def ask(app: App, agent: str, text: str, pieces: list[Piece] | None = None) -> Outcome:
    emit = None if pieces is None else pieces.append
    return await app.engine.ask(Address(agent, "s"), Message.user(text), sender="user", emit=emit)


async def said(app: App, agent: str, text: str) -> str:
    outcome = await ask(app, agent, text)
    assert outcome.message is not None, outcome.error
    return outcome.message.text


async def test_coded_agents_use_the_verbs_and_their_configuration(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, _):
        assert await said(app, "front", "hi") == "heard hi | heard hi"
        assert await said(app, "crowd", "all") == "heard all, heard all"


async def test_a_plugin_s_function_and_class_are_tools(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, _):
        assert await said(app, "loud", "hello") == "HELLO!"
        assert await said(app, "polite", "Ada") == "Dear Ada"
        assert await said(app, "polite", "gentle reader") == "Gentle reader"


async def test_a_guard_refuses_a_tool_call(tmp_path: Path) -> None:
    pieces: list[Piece] = []
    async with opened(tmp_path) as (app, _):
        await ask(app, "loud", "forbidden", pieces)
    (result,) = [piece for piece in pieces if isinstance(piece, ToolResult)]
    assert result.failed
    assert result.text == "not that word"


async def test_a_fallback_takes_over_with_its_own_model(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, warnings):
        outcome = await ask(app, "fallback", "me")
    assert outcome.message is not None
    assert outcome.message.text == "the spare model heard me"
    assert outcome.report is not None
    assert outcome.report.backend == "script"
    assert warnings == ["broken: the script says: quota; asking the next backend"]


async def test_memory_outlives_a_session(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, _):
        assert await said(app, "keeper", "keep the key is under the mat") == "kept"
        outcome = await app.engine.ask(Address("keeper", "other"), Message.user("the key"), sender="user")
        assert outcome.message is not None
        assert "the key is under the mat" in outcome.message.text


async def test_sessions_remember_what_was_said_in_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, _):
        await ask(app, "one", "first")
        await ask(app, "one", "second")
        texts = [message.text for message in (await app.roster.sessions.wake(Address("one", "s"))).messages]
    assert texts == ["first", "heard first", "second", "heard second"]


async def test_what_an_untrusted_plugin_offers_is_not_there_and_the_error_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        async with opened(tmp_path, trusted=False):
            raise AssertionError("opened with an untrusted plugin")
    assert 'there is no agent type "relay"' in str(raised.value)
    (note,) = raised.value.__notes__
    assert note.startswith("plugin house is not loaded: not trusted yet")


async def test_an_error_inside_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="mine"):
        async with opened(tmp_path):
            raise FailedError("mine")
