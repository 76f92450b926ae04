"""The agents of all files: each table over its `[defaults]`, completed and constructed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from clawmesh.config.document import Document
from clawmesh.config.fault import Fault, Faults, describe
from clawmesh.config.file import read_text
from clawmesh.config.model import AgentConfig, AgentSettings, Component
from clawmesh.config.record import Record, read_table
from clawmesh.config.scanner import KeyPath
from clawmesh.config.scope import Scope
from clawmesh.config.signature import fields_of
from clawmesh.config.source import Place, Source, dotted
from clawmesh.config.suggestion import nearest
from clawmesh.errors import Problem

LLM = "llm"
INSTRUCTIONS_BYTES = 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
NAME_RULE = "letters, digits, _, - and ., at most 100 of them, the first no - or ."


class Defaults(Struct, frozen=True):
    """What the agents of a file leave out: converted values by key, and its sub-tables as they were read."""

    values: Mapping[str, Any] = {}
    tables: Mapping[str, Mapping[str, Any]] = {}
    place: Place | None = None


class Agents:
    """Collects the agents of one document after the other; the documents that include come first."""

    def __init__(self, environ: Mapping[str, str], problems: list[Problem]) -> None:
        self._environ = environ
        self._problems = problems
        self._fields = fields_of(AgentSettings)
        self._nested = [field.name for field in self._fields.values() if isinstance(field.shape, Record)]
        self._faulty: set[tuple[str, KeyPath]] = set()
        self._defaults: dict[Source, Defaults] = {}
        self._texts: dict[Path, str | Faults] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._places: dict[str, Place] = {}

    @property
    def files(self) -> list[Path]:
        """The files of instructions that were read."""
        return list(self._texts)

    @property
    def broken(self) -> frozenset[str]:
        """The agents of which some key, their own or inherited, could not be read."""
        return frozenset(name for name, place in self._places.items() if self._faulty and self._is_faulty(place))

    def _is_faulty(self, place: Place | None) -> bool:
        if place is None:
            return False
        return (place.source.name, place.path) in self._faulty or self._is_faulty(place.inherits)

    def read(self, document: Document) -> None:
        """Take the document's `[defaults]` and `[agents]`."""
        scope = Scope(os.path.dirname(document.source.name), self._environ)
        defaults = self._read_defaults(document, scope)
        self._defaults[document.source] = defaults
        agents = document.table.get("agents", {})
        if type(agents) is not dict:
            found = f"found {describe(agents)}, expected one table for each agent: [agents.NAME]"
            self._problems.append(document.place().problem(found, "agents"))
            return
        for name, table in agents.items():
            place = Place(document.source, ("agents", name), defaults.place)
            if self._admit(name, table, place):
                self._places[name] = place
                self._values[name] = self._read_agent(table, defaults, place, scope)

    def finish(self, backends: Mapping[str, Component]) -> dict[str, AgentConfig]:
        """Return the agents, complete; without a backend of its own an agent has the only one there is."""
        agents = {}
        only = tuple(backends) if len(backends) == 1 else ()
        for name, values in self._values.items():
            if "backend" not in values and values.get("type", LLM) == LLM:
                values["backend"] = only
            agents[name] = AgentConfig(name=name, place=self._places[name], **values)
        return agents

    def _read_defaults(self, document: Document, scope: Scope) -> Defaults:
        """Return the document's own defaults over those of the document that includes it."""
        outer = self._defaults[document.parent.source] if document.parent else Defaults()
        table = document.table.get("defaults")
        if table is None:
            return outer
        place = Place(document.source, ("defaults",), outer.place)
        if type(table) is not dict:
            self._problems.append(place.problem(f"found {describe(table)}, expected a table"))
            return outer
        if "type" in table:
            self._problems.append(place.problem("not allowed here: say it in the agent's own table", "type"))
        values = self._convert(table, outer, place, scope)
        tables = {name: {**outer.tables.get(name, {}), **table[name]} for name in self._nested if name in values}
        return Defaults({**outer.values, **values}, {**outer.tables, **tables}, place)

    def _admit(self, name: str, table: Any, place: Place) -> bool:
        if name in self._places:
            self._problems.append(place.problem(f"defined twice, first at {self._places[name]}"))
        elif NAME.fullmatch(name) is None:
            self._problems.append(place.problem(f"not a name for an agent: expected {NAME_RULE}"))
        elif type(table) is not dict:
            self._problems.append(place.problem(f"found {describe(table)}, expected a table: [agents.{name}]"))
        else:
            return True
        return False

    def _read_agent(self, table: dict[str, Any], defaults: Defaults, place: Place, scope: Scope) -> dict[str, Any]:
        arguments = {}
        if table.get("type", LLM) != LLM:
            arguments = {key: value for key, value in table.items() if key not in self._fields}
            table = {key: value for key, value in table.items() if key in self._fields}
        values = {**defaults.values, **self._convert(table, defaults, place, scope)}
        if arguments:
            values["arguments"] = arguments
        return values

    def _convert(self, table: dict[str, Any], outer: Defaults, place: Place, scope: Scope) -> dict[str, Any]:
        """Return the values of a table, its sub-tables completed from the outer ones; note what is wrong."""
        nested = {name: {**outer.tables[name], **table[name]} for name in outer.tables if type(table.get(name)) is dict}
        values, faults = read_table({**table, **nested} if nested else table, self._fields, scope)
        if faults:
            self._problems += place.problems(self._advise(fault, table, place) for fault in faults)
            self._faulty.add((place.source.name, place.path))
        if "instructions_file" in values:
            self._read_instructions(values, place)
        elif "instructions" in values:
            values["instructions_file"] = None
        return values

    def _advise(self, fault: Fault, table: Mapping[str, Any], place: Place) -> Fault:
        """Say more of the two traps of TOML: a dot in a name, and a key that has slipped into the table above it."""
        name, *rest = map(str, fault.path)
        shape = self._fields[name].shape if name in self._fields else None
        if shape is None and type(table.get(name)) is dict and nearest(name, self._fields) is None:
            header = dotted([*place.path[:-1], f"{place.path[-1]}.{name}"])
            return Fault(f"unknown table; a name with a dot in it needs quotes: [{header}]", fault.path)
        if isinstance(shape, Record) and len(rest) == 1 and rest[0] not in shape.fields and rest[0] in self._fields:
            here, sub = dotted(place.path), dotted([*place.path, name])
            return Fault(f"unknown key; it belongs into [{here}]: move it above [{sub}]", fault.path)
        return fault

    def _read_instructions(self, values: dict[str, Any], place: Place) -> None:
        path = values["instructions_file"]
        if "instructions" in values:
            message = "stands beside instructions: only one of the two can be meant"
            self._problems.append(place.problem(message, "instructions_file"))
            return
        if path not in self._texts:
            self._texts[path] = _instructions(path)
        text = self._texts[path]
        if isinstance(text, Faults):
            self._problems += place.problems(text)
        else:
            values["instructions"] = text


def _instructions(path: Path) -> str | Faults:
    content = read_text(path, INSTRUCTIONS_BYTES)
    if isinstance(content, Problem):
        return Faults.of(f"{path} {content.message}", "instructions_file")
    return content.text
