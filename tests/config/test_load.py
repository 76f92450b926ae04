from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec import structs

from clawmesh.config.load import load, parse, survey
from clawmesh.config.model import (
    AgentConfig,
    ContextSettings,
    HttpSettings,
    JournalSettings,
    Limits,
    MeshSettings,
    PluginSettings,
)
from clawmesh.errors import ConfigError
from tests.config.broken import cases

WHOLE = """
[defaults]
backend = ["cloud", "local"]
model = "big"
tools = ["clock"]
[defaults.limits]
steps = 4
seconds = "5m"

[backends.cloud]
type = "openai"
api_key = { env = "KEY" }

[backends.local]
type = "openai"
model = "small"

[tools.fetch]
allow = ["example.com"]

[memories.notes]
type = "ram"

[agents.lead]
description = "leads"
instructions = "Lead."
peers = ["*"]
memory = "notes"
topics = ["news"]
limits = { steps = 8 }
context = { history = 10 }
reasoning = "high"
max_tokens = 100
temperature = 1
top_p = 0.5
output_schema = { type = "object" }

[agents.worker]
type = "workflow"
backend = "local"
rounds = 3

[mesh]
deadline = "1h30m"
hops = 3
mailbox = 5

[journal]
keep = "30d"

[plugins]
folder = "more"
disabled = ["http_get"]

[http]
proxy = "http://proxy.example:3128"
ca_file = "ca.pem"
connections = 7
"""


@pytest.mark.parametrize(("toml", "messages"), cases("broken_structure.txt"))
def test_a_broken_structure_is_explained(toml: str, messages: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(toml, {})
    assert [str(problem) for problem in caught.value.problems] == messages


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    config = parse(WHOLE, {}, tmp_path / "clawmesh.toml")
    lead, worker = config.agents["lead"], config.agents["worker"]
    assert lead == AgentConfig(
        name="lead",
        description="leads",
        instructions="Lead.",
        backend=("cloud", "local"),
        model="big",
        tools=("clock",),
        peers=("*",),
        memory="notes",
        topics=("news",),
        limits=Limits(steps=8, seconds=300.0),
        context=ContextSettings(history=10),
        reasoning="high",
        max_tokens=100,
        temperature=1.0,
        top_p=0.5,
        output_schema={"type": "object"},
        place=lead.place,
    )
    assert worker.type == "workflow"
    assert worker.arguments == {"rounds": 3}
    assert worker.backend == ("local",)
    assert worker.limits == Limits(steps=4, seconds=300.0)
    assert config.mesh == MeshSettings(deadline=5400.0, hops=3, mailbox=5)
    assert config.journal == JournalSettings(keep=30 * 86_400.0)
    assert config.plugins == PluginSettings(folder=tmp_path / "more", disabled=("http_get",))
    assert config.http == HttpSettings("http://proxy.example:3128", tmp_path / "ca.pem", 7)
    assert config.backends["cloud"].arguments == {"api_key": {"env": "KEY"}}


def test_ten_lines_are_a_configuration() -> None:
    config = parse('[backends.openai]\n[agents.helper]\nmodel = "m"\n', {})
    assert config.backends["openai"].type == "openai"
    assert config.agents["helper"].backend == ("openai",)
    assert (config.agents["helper"].place.table, config.agents["helper"].place.line) == ("agents.helper", 2)


def test_a_model_may_stand_in_the_backends() -> None:
    config = parse('[backends.a]\nmodel = "x"\n[backends.b]\nmodel = "y"\n[agents.h]\nbackend = ["a", "b"]\n', {})
    assert config.agents["h"].model == ""


def test_nothing_is_a_configuration_without_agents() -> None:
    assert parse("", {}).agents == {}


def test_what_was_read_is_returned_beside_the_problems(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text('[backends.b]\n[agents.a]\nmodel = "m"\nsteps = 1\n[agents.c]\nmodel = "m"\n')
    config, problems = survey(file, {})
    assert list(config.agents) == ["a", "c"]
    assert [(problem.table, problem.key, problem.line) for problem in problems] == [("agents.a", "steps", 4)]


def test_a_problem_that_many_inherit_is_said_once() -> None:
    agents = "".join(f"[agents.a{number}]\n" for number in range(50))
    with pytest.raises(ConfigError) as caught:
        parse(f'[defaults]\nmodel = "m"\nbackend = "loca"\n[backends.local]\n{agents}', {})
    expected = 'clawmesh.toml:3: defaults.backend: there is no backend "loca"; did you mean "local"?'
    assert str(caught.value) == expected


def test_instructions_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "helper.md").write_text("You help.\n", encoding="utf-8")
    file = tmp_path / "clawmesh.toml"
    file.write_text(
        '[backends.b]\n[defaults]\nmodel = "m"\ninstructions_file = "prompts/helper.md"\n'
        '[agents.a]\n[agents.c]\ninstructions = "Mine."\n'
    )
    config = load(file, {})
    assert config.agents["a"].instructions == "You help.\n"
    assert config.agents["c"].instructions == "Mine."
    assert config.agents["c"].instructions_file is None
    assert config.files == (file, tmp_path / "prompts" / "helper.md")


def test_instructions_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "long.md").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(ConfigError, match=r"agents\.a\.instructions_file: .*long\.md is larger than 1 MiB"):
        parse('[backends.b]\n[agents.a]\nmodel = "m"\ninstructions_file = "long.md"\n', {}, tmp_path / "c.toml")


def agent(number: int) -> str:
    return (
        f'[agents.helper-{number:05}]\nmodel = "qwen3"\ninstructions = """\nYou are helper {number}.\n"""\n'
        f'tools = ["clock", "notes_*"]\npeers = ["helper-{(number + 1) % 10_000:05}", "helper-0{number % 10}*"]\n'
        f"[agents.helper-{number:05}.limits]\nsteps = {number % 7 + 1}\n"
    )


def test_ten_thousand_agents_are_read_from_one_file(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text('[backends.local]\ntype = "openai"\n' + "".join(map(agent, range(10_000))))
    config = load(file, {})
    assert len(config.agents) == 10_000
    last = config.agents["helper-09999"]
    assert last.peers == ("helper-00000", "helper-09*")
    assert last.limits.steps == 9_999 % 7 + 1
    assert last.place.line == 3 + 9_999 * 9


def test_ten_thousand_agents_are_read_from_a_file_each(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text('[backends.local]\ntype = "openai"\n[defaults]\nmodel = "m"\n')
    for team in range(100):
        folder = tmp_path / "agents.d" / f"team-{team:02}"
        folder.mkdir(parents=True)
        for member in range(100):
            number = team * 100 + member
            (folder / f"{number:05}.toml").write_text(agent(number))
    config = load(file, {})
    assert len(config.agents) == 10_000
    assert len(config.files) == 10_001
    assert config.agents["helper-04217"].place.file == tmp_path / "agents.d" / "team-42" / "04217.toml"


def test_ten_thousand_wrong_agents_are_all_reported(tmp_path: Path) -> None:
    tables = "".join(f'[agents.a{number}]\nmodel = "m"\npeers = ["b{number}"]\n' for number in range(10_000))
    with pytest.raises(ConfigError) as caught:
        parse(f"[backends.b]\n{tables}", {})
    assert len(caught.value.problems) == 10_000
    assert caught.value.problems[-1].line == 3 * 10_000 + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.touch(mode=0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(file, {})


def test_configurations_are_frozen() -> None:
    config = parse('[backends.b]\n[agents.a]\nmodel = "m"\n', {})
    with pytest.raises(AttributeError):
        setattr(config.agents["a"], "model", "n")  # noqa: B010 - the type checker would not let it pass
    assert structs.replace(config.agents["a"], model="n").model == "n"


@pytest.mark.parametrize(("given", "workers"), [("2", 2), ('"auto"', "auto")])
def test_workers_are_a_number_or_left_to_the_machine(given: str, workers: object) -> None:
    assert parse(f"[mesh]\nworkers = {given}\n", {}).mesh.workers == workers


@pytest.mark.parametrize("given", ["0", "65", '"all"', "1.5"])
def test_no_other_number_of_workers_is_taken(given: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f"[mesh]\nworkers = {given}\n", {})
    assert f"mesh.workers: found {given}" in str(raised.value)
    assert str(raised.value).endswith('expected an integer from 1 to 64 or "auto"')
