from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli
from msgspec import structs

from clawmesh.config.load import load, parse
from clawmesh.config.model import Config
from clawmesh.config.rendering import HIDDEN, plain, to_toml
from tests.config.test_load import WHOLE


def content(config: Config) -> Mapping[str, Any]:
    """Return what a configuration says, without where it says it."""
    return structs.asdict(structs.replace(config, **{kind: _content(config, kind) for kind in KINDS}))


KINDS = ("agents", "backends", "tools", "memories")


def _content(config: Config, kind: str) -> dict[str, Any]:
    items = getattr(config, kind).items()
    return {name: {key: value for key, value in structs.asdict(item).items() if key != "place"} for name, item in items}


def test_what_is_shown_is_the_same_configuration(tmp_path: Path) -> None:
    config = parse(WHOLE, {}, tmp_path / "clawmesh.toml")
    text = to_toml(config)
    again = parse(text, {}, tmp_path / "elsewhere" / "clawmesh.toml")
    assert content(again) == content(config)
    assert tomli.loads(text) == plain(config)


def test_instructions_from_a_file_are_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "helper.md").write_text('You help.\n"""Always."""\n')
    file = tmp_path / "clawmesh.toml"
    file.write_text('[backends.b]\n[agents.a]\nmodel = "m"\ninstructions_file = "helper.md"\n')
    config = load(file, {})
    assert f"# {file}:2\n[agents.a]\n" in to_toml(config)
    assert parse(to_toml(config), {}).agents["a"].instructions == 'You help.\n"""Always."""\n'


def test_secrets_are_shown_as_references_only() -> None:
    text = (
        '[backends.a]\napi_key = { env = "KEY" }\nheaders = { Authorization = { file = "/k" } }\n'
        'token = "sk-1234567890abcdef"\nrules = ["Bearer 1234567890abcdef"]\n'
    )
    shown = plain(parse(text, {"KEY": "hunter2"}))["backends"]["a"]
    assert shown["api_key"] == {"env": "KEY"}
    assert shown["headers"] == {"Authorization": {"file": "/k"}}
    assert shown["token"] == HIDDEN
    assert shown["rules"] == [HIDDEN]


def test_an_empty_configuration_shows_its_settings() -> None:
    assert list(plain(parse("", {}))) == ["mesh", "journal", "api"]
