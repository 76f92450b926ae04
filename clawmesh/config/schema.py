"""The JSON Schema of a configuration, for editors that complete and check TOML as it is written."""

from __future__ import annotations

from typing import Any

from clawmesh.config.agents import LLM, NAME
from clawmesh.config.catalogue import Catalogue
from clawmesh.config.load import COMPONENTS, SETTINGS, TOOL_NAME
from clawmesh.config.model import AgentSettings
from clawmesh.config.record import Fields, table_schema
from clawmesh.config.signature import fields_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(catalogue: Catalogue) -> dict[str, Any]:
    """Return the schema (draft 2020-12) of `clawmesh.toml` with the plugins of this catalogue."""
    properties: dict[str, Any] = {
        "include": {
            "description": "files that belong to this one, by name or by pattern such as teams/*.toml",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        "defaults": _defaults(),
        "agents": _named("agents", _agents(catalogue)),
    }
    for kind in COMPONENTS:
        properties[kind] = _components(kind, catalogue)
    for name, settings in SETTINGS.items():
        properties[name] = {"description": _summary(settings), **table_schema(fields_of(settings))}
    return {
        "$schema": DIALECT,
        "title": "ClawMesh configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _defaults() -> dict[str, Any]:
    fields = {name: field for name, field in fields_of(AgentSettings).items() if name != "type"}
    return {"description": "what agents say that do not say it themselves", **table_schema(fields)}


def _agents(catalogue: Catalogue) -> list[dict[str, Any]]:
    shared = fields_of(AgentSettings)
    coded = [_variant(kind, {**shared, **catalogue.fields("agents", kind)}) for kind in sorted(catalogue.agents)]
    return [_variant(LLM, shared, implied=True), *coded]


def _components(kind: str, catalogue: Catalogue) -> dict[str, Any]:
    types = sorted(catalogue.of(kind))
    variants = {type: _variant(type, catalogue.fields(kind, type)) for type in types}
    # A table named as a type is of that type where it says none.
    named = {
        type: {"anyOf": [_variant(type, catalogue.fields(kind, type), implied=True), *_others(variants, type)]}
        for type in types
    }
    return {**_named(kind, list(variants.values())), "properties": named}


def _others(variants: dict[str, dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [variant for other, variant in variants.items() if other != type]


def _named(kind: str, variants: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of named tables, each of one of the variants."""
    name = TOOL_NAME if kind == "tools" else NAME
    return {
        "description": f"{kind}, by name",
        "type": "object",
        "propertyNames": {"pattern": f"^{name.pattern}$"},
        "additionalProperties": {"anyOf": variants} if variants else False,
    }


def _variant(type: str, fields: Fields, *, implied: bool = False) -> dict[str, Any]:
    """Return the schema of a table of one type; where that is implied, it need not be said."""
    schema = table_schema(fields)
    schema["properties"] = {"type": {"const": type}, **{n: s for n, s in schema["properties"].items() if n != "type"}}
    if not implied:
        schema["required"] = ["type", *schema.get("required", ())]
    return schema


def _summary(source: type) -> str:
    return (source.__doc__ or "").split("\n", 1)[0]
