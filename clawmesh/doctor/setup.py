"""A look at the configuration and the plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clawmesh.agent.hooks import Incident
from clawmesh.api import listener
from clawmesh.app import Seat, open_app
from clawmesh.clock import SystemClock
from clawmesh.config import check
from clawmesh.config.load import ordered, survey
from clawmesh.config.location import Places
from clawmesh.config.model import Config
from clawmesh.doctor.finding import Finding, fail, ok, warn
from clawmesh.errors import ClawmeshError, ConfigError, Problem
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.loader import Loaded, PluginInfo, load
from clawmesh.plugin.trust import Trust

SHOWN = 20


async def setup(places: Places, environ: Mapping[str, str]) -> Sequence[Finding]:
    """Check the configuration whole, also against what the plugins offer, and say what plugins do not run."""
    config, problems = survey(places.config, environ) if places.config else (Config(), [])
    incidents: list[Incident] = []
    folders = Folders.of(places.data, places.config, config.plugins.folder)
    try:
        trust = Trust.open(folders.trust)
        loaded = load(folders, trust, clock=SystemClock(), report=incidents.append, disabled=config.plugins.disabled)
    except ClawmeshError as error:
        unread = fail("plugins", str(error), "mend that file or folder; until then nothing starts")
        return [*_configuration(config, places, problems, ()), unread]
    warnings: Sequence[str] = ()
    if places.config is not None:
        unfit, warnings = check.survey(config, loaded.catalogue, environ)
        listening = listener.unfit(config.api, config.path)
        problems = ordered([*problems, *unfit, *listening], config.files) or await _opening(config, places, environ)
    return [*_configuration(config, places, problems, warnings), *_plugins(loaded, incidents)]


async def _opening(config: Config, places: Places, environ: Mapping[str, str]) -> list[Problem]:
    """Open the mesh, without a journal, and close it again: some mistakes show only then."""

    def known(_text: str) -> None:
        """Say nothing: what plugins are wrong has been found already."""

    try:
        async with open_app(config, places, environ, known, Seat(journals=())):
            return []
    except ConfigError as error:
        return [*error.problems]
    except ClawmeshError as error:
        return [Problem(str(error), str(config.path))]


def _configuration(
    config: Config, places: Places, problems: Sequence[Problem], warnings: Sequence[str]
) -> Iterator[Finding]:
    name = "configuration"
    if places.config is None:
        looked = ", ".join(map(str, places.looked))
        yield warn(
            name, f"there is none; looked for {looked}", "'clawmesh init' writes one; 'clawmesh demo' needs none"
        )
        return
    for problem in problems[:SHOWN]:
        yield fail(name, str(problem), "change that, then: clawmesh config check")
    if len(problems) > SHOWN:
        yield fail(name, f"and {len(problems) - SHOWN:,} problems more", "clawmesh config check shows them")
    for warning in warnings:
        yield warn(name, warning, "it works, and should not stay so")
    if not problems:
        yield ok(name, f"{places.config} (agents: {len(config.agents):,}, backends: {len(config.backends):,})")


def _plugins(loaded: Loaded, incidents: Sequence[Incident]) -> Iterator[Finding]:
    name = "plugins"
    for plugin in loaded.plugins:
        if plugin.state not in ("loaded", "disabled"):
            yield _idle(plugin)
    for incident in incidents:
        yield warn(name, str(incident), f"look at that plugin: clawmesh plugins check {incident.plugin}")
    own = [plugin for plugin in loaded.plugins if plugin.origin == "user" and plugin.state == "loaded"]
    bundled = sum(plugin.origin == "bundled" for plugin in loaded.plugins)
    yield ok(name, f"loaded: {len(own)} of your own, {bundled} bundled")


def _idle(plugin: PluginInfo) -> Finding:
    name, text = (
        "plugins",
        f"{plugin.name} ({plugin.file}) is {plugin.state}: {plugin.reason.partition('; read it')[0]}",
    )
    if plugin.state in ("untrusted", "changed"):
        return warn(name, text, f"read it, then: clawmesh plugins trust {plugin.name}; or remove it")
    if plugin.state == "missing":
        return warn(name, f"{plugin.name}: {plugin.reason}", "take it out of [plugins] disabled")
    hint = f'clawmesh plugins check {plugin.name} shows why; [plugins] disabled = ["{plugin.name}"] leaves it out'
    return fail(name, text, hint)
