"""How the result of `clawmesh plugins check` looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from clawmesh.cli.console import Console
from clawmesh.plugin.check import Finding, Offer
from clawmesh.plugin.source import Source


def show(finding: Finding, source: Source, console: Console) -> None:
    console.print(console.style(console.clean(str(source.path)), "bold"))
    for offer in finding.offers:
        _show_offer(offer, console)
    if finding.hooks:
        console.print(console.clean(f"hooks: {', '.join(finding.hooks)}"))
    for verdict in finding.examples:
        example = msgspec.json.encode(verdict.example).decode()
        console.print(console.clean(f"{'passed' if verdict.ok else 'FAILED'} {example}"))
        if not verdict.ok:
            console.print(console.clean(f"  found    {verdict.found}\n  expected {verdict.expected}"))
    for incident in finding.incidents:
        console.print(console.clean(incident))
    if finding.printed:
        console.print(console.clean(f"it printed:\n{finding.printed}"))
    if finding.reason:
        console.print(console.clean(finding.traceback or ""))
        console.error(f"{source.name} does not load: {finding.reason}")
    else:
        failed = sum(not verdict.ok for verdict in finding.examples)
        console.note(f"{failed} of {len(finding.examples)} examples failed" if failed else "ok")


def _show_offer(offer: Offer, console: Console) -> None:
    effect = f" ({offer.effect})" if offer.effect else ""
    console.print(console.clean(f"{offer.kind} {offer.name}{effect}: {offer.description}"))
    for name, field, needed in _fields(offer.schema):
        console.print(console.clean(f"  {name}: {field}, {needed}"))
    for name, field, needed in _fields(offer.config):
        console.print(console.clean(f"  in TOML, {name}: {field}, {needed}"))


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield name, type, and what else there is to know of each property."""
    for name, field in schema.get("properties", {}).items():
        default = f"default {_plain(field['default'])}" if "default" in field else "optional"
        needed = "required" if name in schema.get("required", ()) else default
        what = field.get("type") or "/".join(map(str, field.get("enum", ()))) or "value"
        yield name, what, f"{needed}. {field['description']}" if "description" in field else needed


def _plain(value: Any) -> str:
    return msgspec.json.encode(value).decode()
