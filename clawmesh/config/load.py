"""From TOML files to one frozen `Config`; whatever is wrong is reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clawmesh.config.agents import NAME, NAME_RULE, Agents
from clawmesh.config.document import Document, Library
from clawmesh.config.fault import Faults, describe
from clawmesh.config.link import check_links
from clawmesh.config.model import (
    A2aSettings,
    AgentSettings,
    ApiSettings,
    Component,
    Config,
    HttpSettings,
    JournalSettings,
    MeshSettings,
    PluginSettings,
)
from clawmesh.config.record import convert_table
from clawmesh.config.scope import Scope
from clawmesh.config.signature import fields_of
from clawmesh.config.source import Place
from clawmesh.config.suggestion import did_you_mean, nearest
from clawmesh.errors import ConfigError, Problem

SETTINGS: Mapping[str, Any] = {
    "mesh": MeshSettings,
    "journal": JournalSettings,
    "plugins": PluginSettings,
    "http": HttpSettings,
    "api": ApiSettings,
    "a2a": A2aSettings,
}
COMPONENTS = ("backends", "tools", "memories")
TABLES = ("include", "defaults", "agents", *COMPONENTS, *SETTINGS)
# What the providers' function calling takes as a name.
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOL_NAME_RULE = "letters, digits, _ and -, at most 64 of them"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read a configuration file with all that it includes, and check everything that needs no plugin.

    Raises:
        ConfigError: every problem found.
    """
    return _sound(*survey(path, environ))


def parse(text: str, environ: Mapping[str, str], name: Path = Path("clawmesh.toml")) -> Config:
    """Take a text as the whole configuration; `name` stands for its file in errors, and relative paths start beside it.

    Raises:
        ConfigError: every problem found.
    """
    library = Library()
    library.add(name, text)
    return _sound(*_Assembly(environ).assemble(library, None))


def survey(path: Path, environ: Mapping[str, str]) -> tuple[Config, list[Problem]]:
    """Read a configuration as far as it can be read; return it with the problems found on the way."""
    library = Library()
    library.read(path)
    return _Assembly(environ).assemble(library, path)


def _sound(config: Config, problems: list[Problem]) -> Config:
    if problems:
        raise ConfigError(problems)
    return config


class _Assembly:
    """Puts the documents' tables together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[Problem] = []
        self._settings: dict[str, Any] = {}
        self._components: dict[str, dict[str, Component]] = {kind: {} for kind in COMPONENTS}
        self._places: dict[tuple[str, ...], Place] = {}

    def assemble(self, library: Library, path: Path | None) -> tuple[Config, list[Problem]]:
        agents = Agents(self._environ, self._problems)
        for document in library.documents:
            self._check_tables(document)
            agents.read(document)
            for name, content in document.table.items():
                if name in COMPONENTS:
                    self._read_components(document, name, content)
                elif name in SETTINGS:
                    self._read_settings(document, name, content)
        backends, memories = self._components["backends"], self._components["memories"]
        complete = agents.finish(backends)
        if not library.problems:
            # With a file unread, many a name would lead nowhere that is defined in it.
            check_links(complete, backends, memories, agents.broken, self._problems)
        files = (*(document.source.path for document in library.documents), *agents.files)
        config = Config(
            agents=complete,
            backends=backends,
            tools=self._components["tools"],
            memories=memories,
            path=path,
            files=files if path else (),
            **self._settings,
        )
        return config, ordered([*library.problems, *self._problems], files)

    def _check_tables(self, document: Document) -> None:
        for name, content in document.table.items():
            if name not in TABLES:
                message = _unknown_table(name, content)
                self._problems.append(document.place().problem(message, name))

    def _read_components(self, document: Document, kind: str, tables: Any) -> None:
        if type(tables) is not dict:
            found = f"found {describe(tables)}, expected tables [{kind}.NAME]"
            self._problems.append(document.place().problem(found, kind))
            return
        for name, table in tables.items():
            place = document.place(kind, name)
            fault = self._fault(kind, name, table)
            if fault:
                self._problems.append(place.problem(fault))
                # What is wrong with it is said; that it is missing need not be said as well.
                self._components[kind].setdefault(name, Component(name, name, {"model": ""}, place))
                continue
            arguments = dict(table)
            type_ = arguments.pop("type", name)
            if type(type_) is not str:
                self._problems.append(place.problem(f"found {describe(type_)}, expected a string", "type"))
            self._places[kind, name] = place
            self._components[kind][name] = Component(name, type_, arguments, place)

    def _fault(self, kind: str, name: str, table: Any) -> str:
        rule, words = (TOOL_NAME, TOOL_NAME_RULE) if kind == "tools" else (NAME, NAME_RULE)
        if (kind, name) in self._places:
            return f"defined twice, first at {self._places[kind, name]}"
        if rule.fullmatch(name) is None:
            return f"not a name here: expected {words}"
        if type(table) is not dict:
            return f"found {describe(table)}, expected a table: [{kind}.{name}]"
        return ""

    def _read_settings(self, document: Document, name: str, table: Any) -> None:
        place = document.place(name)
        if type(table) is not dict:
            self._problems.append(place.problem(f"found {describe(table)}, expected a table"))
            return
        if (name,) in self._places:
            self._problems.append(place.problem(f"defined twice, first at {self._places[name,]}"))
            return
        self._places[name,] = place
        scope = Scope(document.source.path.parent, self._environ)
        values = convert_table(table, fields_of(SETTINGS[name]), scope)
        if isinstance(values, Faults):
            self._problems += place.problems(values)
            return
        if name == "http" and _holds_password(values.get("proxy")):
            message = "the URL holds a password (not shown): leave the key out and set HTTPS_PROXY in the environment"
            self._problems.append(place.problem(message, "proxy"))
        self._settings[name] = SETTINGS[name](**values)


def ordered(problems: Iterable[Problem], files: Sequence[Path]) -> list[Problem]:
    """Return the problems by file and line, each once: all agents that inherit a wrong default have the same one."""
    order = {str(file): index for index, file in enumerate(files)}
    return sorted(dict.fromkeys(problems), key=lambda problem: (order.get(problem.file, -1), problem.line))


def _unknown_table(name: str, content: Any) -> str:
    if type(content) is dict:
        return f"unknown table{did_you_mean(name, TABLES, otherwise='the tables are')}"
    agent_key = nearest(name, fields_of(AgentSettings))
    belongs = f"; it belongs into [defaults] or an agent's table: {agent_key} = …" if agent_key else ""
    return f"unknown key{belongs or did_you_mean(name, TABLES, otherwise='the tables are')}"


def _holds_password(url: str | None) -> bool:
    try:
        return url is not None and urlsplit(url).password is not None
    except ValueError:
        # No URL at all; the transport, which knows what it can use, refuses it.
        return False
