"""JSON Schemas as the providers' structured output wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SCHEMAS = ("items", "additionalItems", "contains", "not", "if", "then", "else")
LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with `additionalProperties: false` in every object that does not say.

    The answer is to have the fields that are described; providers refuse a schema that leaves this open.
    """
    copy: dict[str, Any] = dict(schema)
    for name in SCHEMAS:
        if isinstance(value := copy.get(name), Mapping):
            copy[name] = closed(value)
    for name in LISTS:
        if isinstance(value := copy.get(name), list | tuple):
            copy[name] = [closed(part) if isinstance(part, Mapping) else part for part in value]
    for name in MAPS:
        if isinstance(value := copy.get(name), Mapping):
            copy[name] = {key: closed(part) if isinstance(part, Mapping) else part for key, part in value.items()}
    if "properties" in copy:
        copy.setdefault("additionalProperties", False)
    return copy


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Tell whether every object of a closed schema requires all that it describes.

    Source: OpenAI guide "Structured outputs", "Supported schemas": strict mode takes no other objects.
    """
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        if set(schema.get("required") or ()) != set(properties) or schema.get("additionalProperties") is not False:
            return False
    elif schema.get("type") == "object":
        return False
    return all(map(is_strict, _parts(schema)))


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in SCHEMAS:
        if isinstance(value := schema.get(name), Mapping):
            yield value
    for name in LISTS:
        yield from (part for part in schema.get(name) or () if isinstance(part, Mapping))
    for name in MAPS:
        if isinstance(value := schema.get(name), Mapping):
            yield from (part for part in value.values() if isinstance(part, Mapping))
