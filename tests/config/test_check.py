from __future__ import annotations

from pathlib import Path

import pytest

from clawmesh.config.check import check, survey
from clawmesh.config.load import load, parse
from clawmesh.errors import ConfigError
from tests.config.broken import cases
from tests.config.offers import CATALOGUE

ENVIRON = {"OPENAI_API_KEY": "k", "EMPTY_KEY": " ", "LINES_KEY": "a\nb"}


@pytest.mark.parametrize(("toml", "messages"), cases("broken_catalogue.txt"))
def test_what_no_plugin_offers_is_explained(toml: str, messages: list[str]) -> None:
    problems, _ = survey(parse(toml, ENVIRON), CATALOGUE, ENVIRON)
    assert [str(problem) for problem in problems] == messages


def test_all_problems_are_raised_together() -> None:
    config = parse("[backends.a]\n[backends.openai]\napi_kye = 1\n[tools.clok]\n[memories.rom]\n", {})
    with pytest.raises(ConfigError) as caught:
        check(config, CATALOGUE, {})
    assert [problem.line for problem in caught.value.problems] == [1, 3, 4, 5]


def test_a_sound_configuration_passes(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_text(
        '[backends.openai]\napi_key = { env = "OPENAI_API_KEY" }\n'
        'headers = { A = "b", C = { env = "OPENAI_API_KEY" } }\n'
        '[backends.scripted]\nrules = [{ say = "x" }]\n[tools.fetch]\nallow = ["*"]\n[tools.time]\ntype = "clock"\n'
        '[memories.ram]\nfacts = 3\n[agents.a]\nbackend = ["openai", "scripted"]\nmodel = "m"\n'
        'tools = ["clock", "f*", "time"]\n[agents.b]\ntype = "workflow"\nrounds = 3\nstyle = "x"\npeers = ["a"]\n'
    )
    assert check(load(file, ENVIRON), CATALOGUE, ENVIRON) == ()


def test_a_secret_that_others_may_read_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    (tmp_path / "key").chmod(0o644)
    text = '[backends.openai]\napi_key = { file = "key" }\n'
    config = parse(text, {}, tmp_path / "clawmesh.toml")
    assert check(config, CATALOGUE, {}) == (
        f"the secret's file {tmp_path / 'key'} may be read by other users: chmod 600 it",
    )
