"""A plugin's own examples: the module-level list `EXAMPLES`, run by `clawmesh plugins check`.

Each is a mapping: `tool` with `arguments`, or `agent` with `message`; `config` says what TOML would; then what is
expected: the whole `result`, a text that it `contains`, or an `error` which contains this text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import anyio
import msgspec
from msgspec import UNSET, Struct, UnsetType

from clawmesh.abc.context import Answer, Context, Services
from clawmesh.abc.tool import Tool
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.schema import CheckedTool
from clawmesh.config.fault import Faults
from clawmesh.config.record import convert_table
from clawmesh.config.scope import Scope
from clawmesh.config.signature import fields_of
from clawmesh.config.suggestion import did_you_mean
from clawmesh.errors import ClawmeshError, PeerError, PluginError
from clawmesh.messages import Message, Text
from clawmesh.plugin.registration import Kind, Registration, make

SECONDS = 10.0


class Example(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One call, and what must come of it."""

    tool: str = ""
    agent: str = ""
    arguments: Mapping[str, Any] = {}
    message: str = ""
    config: Mapping[str, Any] = {}
    result: Any = UNSET
    contains: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    @property
    def target(self) -> tuple[Kind, str]:
        return ("agent", self.agent) if self.agent else ("tool", self.tool)


class Verdict(Struct, frozen=True):
    """What came of an example: `found` is the result, or the error's sentence."""

    example: Example
    ok: bool
    found: str
    expected: str


def examples(module: ModuleType) -> Sequence[Example]:
    """Return the module's examples.

    Raises:
        PluginError: one of them is not written as it should be.
    """
    written = getattr(module, "EXAMPLES", [])
    try:
        return msgspec.convert(written, list[Example])
    except msgspec.ValidationError as error:
        raise PluginError(f"EXAMPLES is wrong: {error}; the keys are {', '.join(Example.__struct_fields__)}") from error


async def try_out(example: Example, registrations: Sequence[Registration], services: Services) -> Verdict:
    """Run one example, for at most 10 s."""
    failed, found = True, f"gave no result within {SECONDS:g} s"
    with anyio.move_on_after(SECONDS):
        try:
            failed, found = False, await _run(example, registrations, services)
        except ClawmeshError as error:
            found = str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything; it is its example's result
            found = f"{type(error).__name__}: {error}"
    return _judged(example, found, failed=failed)


async def _run(example: Example, registrations: Sequence[Registration], services: Services) -> str:
    kind, name = example.target
    offered = {each.name: each.factory for each in registrations if each.kind == kind}
    if name not in offered:
        raise PluginError(f'the plugin registers no {kind} "{name}"{did_you_mean(name, offered)}')
    context = Context("check/examples", "example", NoPeers(), services, lambda piece: None)
    if kind == "tool":
        return _text(await _tool(offered[name], example, services).call(context, example.arguments))
    answer = await partial(offered[name], **_config(offered[name], example))(context, Message.user(example.message))
    return answer.text if isinstance(answer, Message) else str(answer)


def _tool(factory: Any, example: Example, services: Services) -> Tool:
    if not isinstance(factory, type):
        return FunctionTool(factory, example.tool)
    return CheckedTool(make("tool", factory, services, _config(factory, example)))


def _config(factory: Any, example: Example) -> dict[str, Any]:
    values = convert_table(dict(example.config), fields_of(factory), Scope(Path(), {}))
    if isinstance(values, Faults):
        faults = "; ".join(f"{'.'.join(map(str, fault.path))}: {fault.message}" for fault in values)
        raise PluginError(f"the example's config does not fit: {faults}")
    return values


def _text(output: Any) -> str:
    parts = output if isinstance(output, list | tuple) else [output]
    shown = [part if isinstance(part, str) else part.text if isinstance(part, Text) else "[image]" for part in parts]
    return "".join(shown)


def _judged(example: Example, found: str, *, failed: bool) -> Verdict:
    if example.error is not UNSET:
        return Verdict(example, failed and example.error in found, found, f"an error with {example.error!r}")
    if example.contains is not UNSET:
        return Verdict(example, not failed and example.contains in found, found, f"a text with {example.contains!r}")
    if example.result is not UNSET:
        return Verdict(example, not failed and _same(example.result, found), found, repr(example.result))
    return Verdict(example, not failed, found, "no error")


def _same(expected: Any, found: str) -> bool:
    if isinstance(expected, str):
        return found == expected
    try:
        return bool(json.loads(found) == expected)
    except ValueError:
        return False


class NoPeers:
    """A mesh with nobody in it: examples run alone."""

    async def ask(self, to: str, message: Message | str, *, seconds: float | None = None) -> Message:
        raise PeerError(f"{to}: there is no other agent while examples run")

    async def send(self, to: str, message: Message | str) -> str:
        raise PeerError(f"{to}: there is no other agent while examples run")

    async def publish(self, topic: str, message: Message | str) -> int:
        return 0

    async def gather(
        self,
        to: Sequence[str],
        message: Message | str,
        *,
        mode: Literal["first", "all", "quorum"] = "all",
        seconds: float | None = None,
    ) -> list[Answer]:
        return [Answer(address, error="there is no other agent while examples run") for address in to]

    def under(self, key: str) -> NoPeers:
        return self
