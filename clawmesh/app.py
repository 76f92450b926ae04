"""The composition root: from a configuration to a mesh that runs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from inspect import isclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import anyio
import anyio.to_thread
from msgspec import Struct
from msgspec.structs import replace

from clawmesh.abc.agent import Agent
from clawmesh.abc.context import Services
from clawmesh.abc.journal import Journal
from clawmesh.abc.tool import Tool
from clawmesh.agent.chain import Setback
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.hooks import Incident
from clawmesh.agent.roster import Parts, Roster
from clawmesh.agent.schema import CheckedTool, Schema
from clawmesh.agent.session import Sessions
from clawmesh.clock import SystemClock
from clawmesh.config.agents import LLM
from clawmesh.config.catalogue import Offers
from clawmesh.config.check import check
from clawmesh.config.load import load as read_config
from clawmesh.config.location import JOURNAL, Places, prepare
from clawmesh.config.model import AgentConfig, BackendSettings, Component, Config, HttpSettings
from clawmesh.config.pattern import Names
from clawmesh.config.signature import bind, fields_of
from clawmesh.config.source import Place, Source
from clawmesh.errors import ClawmeshError, ConfigError, Problem, Recourse
from clawmesh.failpoint import VARIABLE, planned
from clawmesh.http.limits import Bounds
from clawmesh.http.proxy import Proxies
from clawmesh.http.tls import Identity
from clawmesh.http.transport import Transport, open_transport
from clawmesh.ids import Ids
from clawmesh.journal.journal import open_journal
from clawmesh.journal.memory import MemoryJournal
from clawmesh.journal.union import UnionJournal
from clawmesh.machine import memory
from clawmesh.mesh.engine import Engine, Means, open_engine
from clawmesh.mesh.route import Route, here
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.loader import Loaded, PluginInfo, load
from clawmesh.plugin.registration import Kind, make
from clawmesh.plugin.trust import Trust
from clawmesh.runtime import settle

# What all workers together take of the machine's memory, or of what it leaves us, where nobody says.
MEMORY_SHARE = 0.8


class Seat(Struct, frozen=True):
    """The part of the mesh that this process has.

    `workers` is how many processes there are, `route` the way to the others. `journals` are the numbers of the files
    that are this one's, none where nothing is kept on disk; of several, `home` says which has a session.
    """

    workers: int = 1
    route: Route = here
    journals: Sequence[int] = (0,)
    home: Callable[[str], int] = lambda _session: 0

    @property
    def first(self) -> bool:
        """Whether this is the only process, or the first of several."""
        return 0 in self.journals or not self.journals


class Prepared(Struct, frozen=True):
    """A configuration that was read and checked whole, and what agents are made of by it.

    `late` names the tables in which something has changed that only a restart can change.
    """

    config: Config
    plugins: tuple[PluginInfo, ...]
    parts: Parts
    late: tuple[str, ...]


class App:
    """A mesh that runs; made by `open_app`. `config` and `plugins` are those in force, `version` counts them."""

    def __init__(
        self, config: Config, places: Places, environ: Mapping[str, str], ids: Ids, warn: Callable[[str], None]
    ) -> None:
        self.config = config
        self.places = places
        self.ids = ids
        self.plugins: tuple[PluginInfo, ...] = ()
        self.version = 1
        self._environ = environ
        self._warn = warn
        self._services: Services
        self.engine: Engine
        self.roster: Roster

    async def prepare(self) -> Prepared:
        """Read the configuration again, with the plugins, and check all of it; nothing changes by that.

        Raises:
            ConfigError: it is wrong.
            PluginError: a plugins folder cannot be read.
            UsageError: there is no file that it was read from.
        """
        config = await anyio.to_thread.run_sync(read_config, self.places.require(), self._environ)
        loaded = load_plugins(config, self.places, self._warn)
        for warning in _checked(config, loaded, self._environ):
            self._warn(warning)
        workshop = _Workshop(config, loaded, self._services, self._environ)
        late = tuple(name for name in LATE if getattr(config, name) != getattr(self.config, name))
        if config.mesh.workers != self.config.mesh.workers:
            late = (*late, "mesh.workers")
        return Prepared(config, loaded.plugins, workshop.parts(self.roster.sessions, self._warn), late)

    def adopt(self, prepared: Prepared) -> None:
        """Put a configuration into force, at once and as a whole; turns under way go on with what they began with."""
        self.config, self.plugins = prepared.config, prepared.plugins
        self.roster.adopt(prepared.parts)
        self.roster.sessions.settings = prepared.config.mesh
        self.engine.adopt(_topics(prepared.config), prepared.config.mesh)
        self.version += 1


# They are made once, of these tables: connections, the journal, the listener.
LATE = ("journal", "http", "api", "a2a")
ALONE = Seat()


@asynccontextmanager
async def open_app(
    config: Config, places: Places, environ: Mapping[str, str], warn: Callable[[str], None], seat: Seat = ALONE
) -> AsyncIterator[App]:
    """Load the plugins, hold the configuration against them, open the mesh, and go on with what its journal holds.

    `warn` hears of plugins that misbehave while everything else runs.

    Raises:
        ConfigError: the configuration names what no plugin offers, or says it wrongly.
        PluginError: a plugins folder cannot be read.
        StorageError: the journal cannot be opened, or another process has it.
    """
    # All workers see the same; one says it.
    loaded = load_plugins(config, places, warn if seat.first else _ignore)
    for warning in _checked(config, loaded, environ):
        if seat.first:
            warn(warning)
    clock = SystemClock()
    ids = Ids(clock)
    async with _wire(config.http, environ) as transport, _record(config, places, environ, seat, warn) as journal:
        services = Services(transport, clock, ids, SystemRandom(), places.data)
        room = int(memory() * MEMORY_SHARE / seat.workers)
        app = App(config, places, environ, ids, warn)
        app.plugins, app._services = loaded.plugins, services
        sessions = Sessions(journal, clock, config.mesh, lambda agent: app.config.agents[agent].context.history, room)
        app.roster = Roster(_Workshop(config, loaded, services, environ).parts(sessions, warn))
        means = Means(clock, ids, journal, warn, seat.route)
        opening = open_engine(app.roster.handle, _topics(config), config.mesh, means)
        async with opening as app.engine, _tended(sessions, app.engine, warn):
            settle()
            yield app


def _topics(config: Config) -> Mapping[str, tuple[str, ...]]:
    return {agent.name: agent.topics for agent in config.agents.values()}


@asynccontextmanager
async def _record(
    config: Config, places: Places, environ: Mapping[str, str], seat: Seat, warn: Callable[[str], None]
) -> AsyncIterator[Journal]:
    clock = SystemClock()
    if not seat.journals:
        yield MemoryJournal(clock)
        return
    folder = prepare(places.data) / JOURNAL
    failpoints = planned(environ.get(VARIABLE, ""))
    async with AsyncExitStack() as stack:
        parts: list[Journal] = []
        for number in seat.journals:
            path, keep = folder / f"{number}.db", config.journal.keep
            opening = open_journal(path, clock=clock, keep=keep, failpoints=failpoints, warn=warn)
            parts.append(await stack.enter_async_context(opening))
        yield parts[0] if len(parts) == 1 else UnionJournal(parts, seat.home)


@asynccontextmanager
async def _tended(sessions: Sessions, engine: Engine, warn: Callable[[str], None]) -> AsyncIterator[None]:
    """Let sessions hibernate while the block runs."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sessions.tend, engine, warn)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group, which would wrap it
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _ignore(_text: str) -> None:
    """Hear what another process says."""


def load_plugins(config: Config, places: Places, warn: Callable[[str], None]) -> Loaded:
    """Load the bundled plugins and the trusted ones of the user.

    Raises:
        PluginError: a plugins folder cannot be read, or the list of what is trusted is damaged.
        StorageError: that list cannot be read, or others could have written it.
    """
    folders = Folders.of(places.data, config.path, config.plugins.folder)

    def report(incident: Incident) -> None:
        warn(str(incident))

    trust = Trust.open(folders.trust)
    loaded = load(folders, trust, clock=SystemClock(), report=report, disabled=config.plugins.disabled)
    for plugin in loaded.plugins:
        if plugin.state not in ("loaded", "disabled"):
            warn(f"plugin {plugin.name} is {plugin.state}: {plugin.reason}")
    return loaded


def _checked(config: Config, loaded: Loaded, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Check the configuration; what it lacks may be in a plugin that does not run, so those are named."""
    if problems := [*_unreachable(config), *_unsatisfiable(config)]:
        raise ConfigError(problems)
    try:
        return check(config, loaded.catalogue, environ)
    except ConfigError as error:
        for plugin in loaded.plugins:
            if plugin.state not in ("loaded", "disabled"):
                error.add_note(f"plugin {plugin.name} is not loaded: {plugin.reason}")
        raise


def _unreachable(config: Config) -> Iterator[Problem]:
    """Yield what no request could be sent with."""
    file, settings = str(config.path or ""), config.http
    if settings.proxy is not None and not settings.proxy.startswith(("http://", "https://")):
        yield Problem(f'found "{settings.proxy}", expected http://host:port', file, table="http", key="proxy")
    if settings.ca_file is not None and not os.access(settings.ca_file, os.R_OK):
        yield Problem(f"the file {settings.ca_file} cannot be read", file, table="http", key="ca_file")


def _unsatisfiable(config: Config) -> Iterator[Problem]:
    """Yield the output schemas that are none: no answer could ever satisfy them."""
    for agent in config.agents.values():
        if agent.output_schema and (fault := Schema(agent.output_schema).flaw):
            yield agent.place.problem(f"no JSON Schema: {fault}", "output_schema")


def _wire(settings: HttpSettings, environ: Mapping[str, str]) -> AbstractAsyncContextManager[Transport]:
    """Return the transport as configured; without a proxy in the configuration those of the environment count."""
    proxies = Proxies.from_environment(environ)
    if settings.proxy is not None:
        proxies = Proxies(settings.proxy, settings.proxy, proxies.exempt)
    bounds = Bounds() if settings.connections is None else Bounds(per_origin=settings.connections)
    return open_transport(bounds=bounds, identity=Identity(ca_file=str(settings.ca_file or "")), proxies=proxies)


class _Workshop:
    """Builds what agents are made of, from the configuration and what plugins offer."""

    def __init__(self, config: Config, loaded: Loaded, services: Services, environ: Mapping[str, str]) -> None:
        self._config = config
        self._loaded = loaded
        self._services = services
        self._environ = environ

    def parts(self, sessions: Sessions, warn: Callable[[str], None]) -> Parts:
        def report(setback: Setback) -> None:
            if setback.recourse is Recourse.RETRY:
                warn(f"{setback.error}; trying again in {setback.wait:.1f} s")
            elif setback.recourse is Recourse.FALLBACK:
                warn(f"{setback.error}; asking the next backend")

        config, catalogue = self._config, self._loaded.catalogue
        models = {name: str(part.arguments.get("model", "")) for name, part in config.backends.items()}
        backends = {
            name: self._make("backend", _own(part), catalogue.backends) for name, part in config.backends.items()
        }
        memories = {name: self._make("memory", part, catalogue.memories) for name, part in config.memories.items()}
        coded = {agent.name: self._coded(agent) for agent in config.agents.values() if agent.type != LLM}
        hooks = self._loaded.hooks
        return Parts(
            agents=config.agents,
            backends=backends,
            models=models,
            tools=self._tools(),
            memories=memories,
            coded=coded,
            hooks=hooks,
            services=self._services,
            sessions=sessions,
            report=report,
        )

    def _tools(self) -> Mapping[str, Tool]:
        """Return every tool by the name that agents know it by: its table's, or else the plugin's own."""
        tables, agents = self._config.tools, self._config.agents.values()
        # What no agent uses is not made: a tool without a table may need keys that only a table gives.
        wanted = dict.fromkeys(pattern for agent in agents for pattern in agent.tools)
        used = Names(self._loaded.catalogue.tools).expand(wanted)
        plain = {name: Component(name, name, {}, Place(Source(Path()), ("tools", name))) for name in used}
        return {name: self._tool(part) for name, part in {**plain, **tables}.items()}

    def _tool(self, part: Component) -> Tool:
        offers = self._loaded.catalogue.tools
        if isclass(offers[part.type]):
            return CheckedTool(self._make("tool", part, offers))
        return FunctionTool(offers[part.type], part.name)

    def _make(self, kind: Kind, part: Component, offers: Offers) -> Any:
        factory = offers[part.type]
        try:
            return make(kind, factory, self._services, bind(part, factory, self._environ))
        except ConfigError:
            raise
        except ClawmeshError as error:
            # A factory gets nothing but its table, so whatever it refuses is in there.
            raise ConfigError([part.place.problem(str(error))]) from error

    def _coded(self, agent: AgentConfig) -> Agent:
        function = self._loaded.catalogue.agents[agent.type]
        part = Component(agent.name, agent.type, agent.arguments, agent.place)
        return partial(function, **bind(part, function, self._environ))


def _own(part: Component) -> Component:
    """Return a backend's table without the keys that are the host's."""
    own = {key: value for key, value in part.arguments.items() if key not in fields_of(BackendSettings)}
    return replace(part, arguments=own)
