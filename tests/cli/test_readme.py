"""What README says is true: its configuration loads, its plugins run, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clawmesh import hookspecs
from clawmesh.cli.parser import build
from clawmesh.config.load import parse
from clawmesh.version import VERSION
from tests.cli.conftest import Person

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def verbs() -> list[str]:
    (group,) = (action for action in build()._actions if action.dest == "verb")
    return list(group.choices or ())


def test_the_configuration_is_one() -> None:
    (toml,) = blocks("toml")
    config = parse(toml, {})
    assert list(config.agents) == ["helper"]


@pytest.mark.parametrize("code", blocks("python"), ids=["tool", "agent"])
def test_the_plugins_load_and_their_examples_pass(person: Person, code: str) -> None:
    file = person.folder / "sample.py"
    file.write_text(code)
    done = person.run("plugins", "check", str(file))
    assert done.stderr.startswith("ok")


def test_the_hooks_are_those_that_there_are() -> None:
    hooks = [name for name in vars(hookspecs) if re.match(r"(register|before|after)_", name)]
    assert [hook for hook in hooks if f"`{hook}(" not in README] == []


def test_every_command_is_named() -> None:
    table = README[README.index("## Commands") :]
    assert [verb for verb in verbs() if not re.search(rf"`[^`\n]*\b{verb}\b", table)] == []


def test_nothing_is_left_to_fill_in_and_the_version_has_its_changes() -> None:
    assert "@@" not in README
    assert f"### {VERSION}" in README
