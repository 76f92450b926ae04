"""The configuration in force, written down again: complete, in one piece, secrets only as references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from msgspec import Struct, structs

from clawmesh.config.agents import LLM
from clawmesh.config.fault import looks_like_key
from clawmesh.config.load import COMPONENTS, SETTINGS
from clawmesh.config.model import AgentConfig, AgentSettings, Component, Config
from clawmesh.config.source import Place

HIDDEN = "(not shown: it looks like a key)"


def plain(config: Config) -> dict[str, Any]:
    """Return the configuration as tables of plain values, which would be read as the same configuration."""
    tables: dict[str, Any] = {name: _settings(getattr(config, name)) for name in SETTINGS}
    for kind in COMPONENTS:
        tables[kind] = {name: _component(component) for name, component in getattr(config, kind).items()}
    tables["agents"] = {name: _agent(agent) for name, agent in config.agents.items()}
    return {name: table for name, table in tables.items() if table}


def to_toml(config: Config) -> str:
    """Return the configuration as TOML; above each table that a file says stands where."""
    return "\n".join(_chunks(config))


def _chunks(config: Config) -> Iterator[str]:
    tables = plain(config)
    for name in SETTINGS:
        if name in tables:
            yield tomli_w.dumps({name: tables[name]}, multiline_strings=True)
    for kind in (*COMPONENTS, "agents"):
        for name, table in tables.get(kind, {}).items():
            place: Place = getattr(config, kind)[name].place
            yield f"# {place}\n" + tomli_w.dumps({kind: {name: table}}, multiline_strings=True)


def _settings(settings: Struct) -> dict[str, Any]:
    return {name: _value(value) for name, value in structs.asdict(settings).items() if value not in (None, ())}


def _component(component: Component) -> dict[str, Any]:
    return {"type": component.type, **_value(component.arguments)}


def _agent(agent: AgentConfig) -> dict[str, Any]:
    said = {name: getattr(agent, name) for name in AgentSettings.__struct_fields__ if name != "instructions_file"}
    table = {name: _value(value) for name, value in said.items() if value not in (None, (), "")}
    if agent.type == LLM:
        del table["type"]
    return {**table, **_value(agent.arguments)}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return HIDDEN if looks_like_key(value) else value
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, Struct):
        return _settings(value)
    if isinstance(value, Mapping):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return value
