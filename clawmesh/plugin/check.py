"""Try a plugin out in a process of its own: load it, describe what it registers, run its examples."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.abc.context import Services
from clawmesh.abc.tool import ToolSpec
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.hooks import Incident
from clawmesh.clock import SystemClock
from clawmesh.config.record import table_schema
from clawmesh.config.signature import fields_of
from clawmesh.errors import PluginError
from clawmesh.http.transport import open_transport
from clawmesh.ids import Ids
from clawmesh.plugin.example import Verdict, examples, try_out
from clawmesh.plugin.folder import Folders
from clawmesh.plugin.importer import module_name
from clawmesh.plugin.isolation import Bounds, run
from clawmesh.plugin.loader import PluginInfo, load
from clawmesh.plugin.registration import Registration, make
from clawmesh.plugin.source import Source, read
from clawmesh.plugin.trust import Trust

VERB = ("plugins", "isolated", "check")
BOUNDS = Bounds(seconds=60.0, memory_bytes=4 << 30, file_bytes=64 << 20)


class Offer(Struct, frozen=True):
    """One thing that a plugin registers, as a reader wants to see it; `schema` is of a tool's arguments."""

    kind: str
    name: str
    description: str = ""
    effect: str = ""
    schema: Mapping[str, Any] = {}
    config: Mapping[str, Any] = {}


class Finding(Struct, frozen=True):
    """All that was found out; `reason` and `traceback` say why the plugin does not load."""

    ok: bool
    reason: str = ""
    traceback: str = ""
    offers: Sequence[Offer] = ()
    hooks: Sequence[str] = ()
    examples: Sequence[Verdict] = ()
    incidents: Sequence[str] = ()
    printed: str = ""


class Subject(Struct, frozen=True):
    """What the child is asked to try out."""

    path: str
    origin: str
    digest: str
    data: str


def check(source: Source, folders: Folders, environ: Mapping[str, str]) -> Finding:
    """Load a plugin in a child process with a bounded environment, time and memory, and run its examples there.

    Raises:
        PluginError: it cannot be read, or the child did not come to an end by itself.
    """
    digest = read(source).digest if source.origin == "user" else ""
    subject = Subject(str(source.path), source.origin, digest, str(folders.data))
    outcome = run(VERB, msgspec.to_builtins(subject), bounds=BOUNDS, environ=environ, pass_on=())
    return msgspec.structs.replace(msgspec.convert(outcome.answer, Finding), printed=outcome.printed)


async def examine(subject: Subject) -> Finding:
    """Do the work of `check`; in the child."""
    source = Source.at(Path(subject.path), "bundled" if subject.origin == "bundled" else "user")
    incidents: list[Incident] = []
    loaded = load(
        msgspec.structs.replace(Folders.of(Path(subject.data)), apart=source),
        Trust(Path(), {str(source.path): subject.digest}),
        clock=SystemClock(),
        report=incidents.append,
    )
    (plugin,) = loaded.plugins
    if plugin.state != "loaded":
        return Finding(False, plugin.reason, plugin.traceback)
    try:
        return await _tried(plugin, source, loaded.hooks.names, incidents)
    except PluginError as error:
        return Finding(False, str(error))


async def _tried(plugin: PluginInfo, source: Source, hooks: Sequence[str], incidents: Sequence[Incident]) -> Finding:
    found = examples(sys.modules[module_name(source)])
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as data:
        async with open_transport() as transport:
            services = Services(transport, clock, Ids(clock), SystemRandom(), Path(data))
            verdicts = [await try_out(example, plugin.registers, services) for example in found]
            offers = [_offer(each, services) for each in plugin.registers]
    ok = all(verdict.ok for verdict in verdicts)
    return Finding(ok, offers=offers, hooks=hooks, examples=verdicts, incidents=list(map(str, incidents)))


def _offer(registration: Registration, services: Services) -> Offer:
    kind, name, factory = registration.kind, registration.name, registration.factory
    if kind == "tool" and not isinstance(factory, type):
        return _tool(FunctionTool(factory, name).spec, name, {})
    fields = fields_of(factory)
    config = table_schema(fields)
    if kind == "tool" and not any(field.required for field in fields.values()):
        return _tool(make("tool", factory, services, {}).spec, name, config)
    description = " ".join((factory.__doc__ or "").split("\n\n")[0].split())
    return Offer(kind, name, description, config=config)


def _tool(spec: ToolSpec, name: str, config: Mapping[str, Any]) -> Offer:
    return Offer("tool", name, spec.description, spec.effect, spec.parameters, config)
