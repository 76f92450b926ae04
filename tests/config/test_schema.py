from __future__ import annotations

from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from clawmesh.config.catalogue import Catalogue
from clawmesh.config.check import survey
from clawmesh.config.load import parse
from clawmesh.config.schema import DIALECT, schema
from clawmesh.errors import ConfigError
from tests.config.broken import cases
from tests.config.offers import CATALOGUE
from tests.config.test_load import WHOLE

# What only reading can find: names that lead nowhere, what the environment and the disk hold, combinations of keys.
BEYOND = {
    "no time at all",
    "no backend at all",
    "two backends, none chosen",
    "no model",
    "empty list of backends",
    "no model at the second backend",
    "dangling backend",
    "dangling fallback",
    "dangling memory",
    "dangling peer",
    "pattern of peers",
    "inherited dangling",
    "instructions twice",
    "instructions missing",
    "password in proxy",
    "infinite",
    "variable not set",
    "variable not set, near",
    "variable empty",
    "variable of several lines",
    "secret file missing",
    "keyring name",
    "key in a header",
    "short key in a header",
    "dangling tool",
    "pattern of tools",
    "tool that needs a table",
}


def faults(toml: str) -> list[str]:
    return [fault.message for fault in Draft202012Validator(schema(CATALOGUE)).iter_errors(tomli.loads(toml))]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema(CATALOGUE))
    Draft202012Validator.check_schema(schema(Catalogue()))
    assert schema(CATALOGUE)["$schema"] == DIALECT


def test_a_whole_configuration_fits() -> None:
    assert faults(WHOLE) == []


@pytest.mark.parametrize(("toml", "messages"), [*cases("broken_structure.txt"), *cases("broken_catalogue.txt")])
def test_what_is_broken_does_not_fit(request: pytest.FixtureRequest, toml: str, messages: list[str]) -> None:
    name = request.node.callspec.id
    if "not valid TOML" in messages[0] or "defined twice" in messages[0]:
        with pytest.raises(tomli.TOMLDecodeError):
            tomli.loads(toml)
    else:
        assert bool(faults(toml)) == (name not in BEYOND)


@pytest.mark.parametrize(
    "toml",
    [
        '[backends.openai]\nbase_url = "x"\n',
        '[backends.mine]\ntype = "openai"\nsilence = "5m"\n',
        '[backends.openai]\ntype = "strict"\nhost = "h"\nport = 1\n',
        '[backends.a]\ntype = "scripted"\nrules = [{ say = "x" }]\nmodel = "m"\n',
        '[agents.a]\ntype = "workflow"\nrounds = 3\n',
        'include = ["a.toml"]\n[defaults]\nbackend = ["a", "b"]\n',
    ],
)
def test_what_is_allowed_fits(toml: str) -> None:
    assert faults(toml) == []


@pytest.mark.parametrize(
    "toml", ['[backends.openai]\nhost = "h"\n', '[backends.mine]\nbase_url = "x"\n', '[defaults]\ntype = "workflow"\n']
)
def test_what_is_not_allowed_does_not_fit(toml: str) -> None:
    assert faults(toml) != []
    with pytest.raises(ConfigError):
        _raise(toml)


def test_editors_are_told_what_a_key_is_for() -> None:
    described = schema(CATALOGUE)
    agent: dict[str, Any] = described["properties"]["agents"]["additionalProperties"]["anyOf"][0]
    assert agent["properties"]["limits"]["properties"]["steps"] == {
        "type": "integer",
        "minimum": 1,
        "default": 16,
        "description": "model calls in one turn",
    }
    assert agent["properties"]["type"] == {"const": "llm"}


def _raise(toml: str) -> None:
    problems, _ = survey(parse(toml, {}), CATALOGUE, {})
    if problems:
        raise ConfigError(problems)
