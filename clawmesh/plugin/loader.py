"""Find, check and load all plugins; whatever is wrong with one is written down, and the others run."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from clawmesh.agent.hooks import Hooks, Incident
from clawmesh.clock import Clock
from clawmesh.config.catalogue import Catalogue
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import PluginError
from clawmesh.plugin.contract import Manager
from clawmesh.plugin.fault import describe, explain
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.importer import forget, run_bundled, run_user
from clawmesh.plugin.registration import Kind, Registration
from clawmesh.plugin.source import Origin, Source, read
from clawmesh.plugin.trust import Trust

SLOW_SECONDS = 1.0

State: TypeAlias = Literal["loaded", "untrusted", "changed", "quarantined", "disabled", "missing"]


class PluginInfo(Struct, frozen=True):
    """What became of one plugin: `reason` in a sentence, `traceback` where its own code failed."""

    name: str
    file: Path
    origin: Origin
    state: State
    reason: str = ""
    traceback: str = ""
    registers: tuple[Registration, ...] = ()
    seconds: float = 0.0


class Loaded(Struct, frozen=True):
    """All plugins: what they offer, their wrapper hooks, and the state of each."""

    catalogue: Catalogue
    hooks: Hooks
    plugins: tuple[PluginInfo, ...]


def load(
    folders: Folders,
    trust: Trust,
    *,
    clock: Clock,
    report: Callable[[Incident], None],
    disabled: Collection[str] = (),
    patience: float = 10.0,
) -> Loaded:
    """Load every plugin that is trusted, whole and not disabled; the first to register a name has it.

    `report` hears of wrapper hooks that fail or are slow, of slow imports, and, from another thread, of an import
    that is not done after `patience` seconds: none can be ended from here, but who waits should learn what for.

    Raises:
        PluginError: a plugins folder cannot be read.
    """
    if folders.site.is_dir() and str(folders.site) not in sys.path:
        # Last, so that what is bundled wins.
        sys.path.append(str(folders.site))
    loading = _Loading(trust, disabled, clock, report, patience)
    for source in folders.sources():
        loading.add(source)
    hooks = Hooks(list(loading.manager.hooks()), report, clock)
    return Loaded(loading.catalogue(), hooks, (*loading.plugins, *loading.missing()))


class _Loading:
    """Loads one plugin after the other and keeps what they registered."""

    def __init__(
        self,
        trust: Trust,
        disabled: Collection[str],
        clock: Clock,
        report: Callable[[Incident], None],
        patience: float,
    ) -> None:
        self.manager = Manager()
        self.plugins: list[PluginInfo] = []
        self._trust = trust
        self._disabled = disabled
        self._clock = clock
        self._report = report
        self._patience = patience
        self._registered: dict[tuple[Kind, str], tuple[Registration, Source]] = {}

    def add(self, source: Source) -> None:
        """Load a plugin, or write down why not."""
        info = PluginInfo(source.name, source.path, source.origin, "loaded")
        started = self._clock.monotonic()
        watch = threading.Timer(self._patience, self._report, [Incident(source.name, "import", self._patience)])
        watch.daemon = True
        try:
            if source.origin == "user":
                watch.start()
            info = self._load(source, info)
        except KeyboardInterrupt:
            raise
        except PluginError as error:
            info = self._quarantine(source, replace(info, reason=str(error)))
        except BaseException as error:  # noqa: BLE001 - a plugin's code may raise anything, SystemExit too
            info = replace(info, reason=explain(source, error), traceback=describe(source, error))
            info = self._quarantine(source, info)
        finally:
            watch.cancel()
        seconds = self._clock.monotonic() - started
        if seconds > SLOW_SECONDS:
            self._report(Incident(source.name, "import", seconds))
        self.plugins.append(replace(info, seconds=seconds))

    def catalogue(self) -> Catalogue:
        def of(kind: Kind) -> Mapping[str, Callable[..., Any]]:
            return {name: each.factory for (other, name), (each, _) in self._registered.items() if other == kind}

        return Catalogue(of("backend"), of("tool"), of("memory"), of("agent"))

    def missing(self) -> list[PluginInfo]:
        """Return what the configuration disables and is not there."""
        names = [info.name for info in self.plugins]
        return [
            PluginInfo(
                name, Path(), "user", "missing", f"disabled, but there is no such plugin{did_you_mean(name, names)}"
            )
            for name in self._disabled
            if name not in names
        ]

    def _load(self, source: Source, info: PluginInfo) -> PluginInfo:
        self._check_name(source)
        if source.name in self._disabled:
            return replace(info, state="disabled", reason="disabled in the configuration")
        if source.origin == "bundled":
            module = run_bundled(source)
        else:
            snapshot = read(source)
            standing = self._trust.standing(source, snapshot)
            if standing != "trusted":
                reason = {"untrusted": "not trusted yet", "changed": "changed since it was trusted"}[standing]
                hint = f"; read it, then run: clawmesh plugins trust {source.name}"
                return replace(info, state=standing, reason=reason + hint)
            forget(source)
            module = run_user(source, snapshot)
        self.manager.adopt(module, source.name)
        registrations = list(self.manager.registrations(source.name))
        for each in registrations:
            self._check_free(each, source)
        self._registered |= {(each.kind, each.name): (each, source) for each in registrations}
        return replace(info, registers=tuple(registrations))

    def _quarantine(self, source: Source, info: PluginInfo) -> PluginInfo:
        # Unless it is the name itself that another plugin has.
        if all(other.name != source.name for other in self.plugins):
            if self.manager.has_plugin(source.name):
                self.manager.unregister(name=source.name)
            forget(source)
        return replace(info, state="quarantined")

    def _check_name(self, source: Source) -> None:
        if not source.name.isidentifier() or iskeyword(source.name):
            suffix = "" if source.package else ".py"
            wanted = re.sub(r"\W", "_", source.name)
            raise PluginError(f'"{source.name}" is no Python name; call it {wanted}{suffix}')
        for other in self.plugins:
            if other.name == source.name:
                raise PluginError(f'{source.path}: the name "{source.name}" is taken by {other.file}; rename one')

    def _check_free(self, registration: Registration, source: Source) -> None:
        taken = self._registered.get((registration.kind, registration.name))
        if taken is not None:
            what = f'{registration.kind} "{registration.name}"'
            raise PluginError(f"{source.path}: the {what} is already registered by {taken[1].path}; rename one")
