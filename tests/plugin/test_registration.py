from __future__ import annotations

from typing import Any

import pytest

from clawmesh.abc.tool import ToolSpec
from clawmesh.errors import PluginError, StorageError
from clawmesh.plugin.registration import Kind, make

SERVICES: Any = "services"


class Maker:
    """A backend, and a tool if it is given a spec."""

    def __init__(self, services: Any = None, /, *, spec: Any = None) -> None:
        self.services = services
        self.spec = spec

    async def complete(self, request: Any, emit: Any) -> None: ...

    async def call(self, context: Any, arguments: Any) -> None: ...


def fail(error: BaseException) -> Any:
    def factory() -> None:
        raise error

    return factory


def test_a_factory_gets_its_services_if_it_takes_them_and_its_configuration() -> None:
    spec = ToolSpec("x", "", {})
    made = make("tool", Maker, SERVICES, {"spec": spec})
    assert (made.services, made.spec) == (SERVICES, spec)
    assert make("backend", lambda *, a: Maker(a), SERVICES, {"a": 1}).services == 1


@pytest.mark.parametrize(
    ("kind", "factory", "reason"),
    [
        ("backend", fail(ValueError("no")), "its plugin failed: ValueError: no"),
        ("backend", fail(SystemExit(3)), "its plugin failed: SystemExit: 3"),
        ("backend", lambda: None, "its plugin made None without `async def complete`; a backend needs it"),
        ("memory", Maker, "its plugin made a Maker without `async def remember`; a memory needs it"),
        ("tool", Maker, "its plugin made a Maker without a ToolSpec as its `spec`; a tool needs it"),
    ],
)
def test_what_cannot_be_made_is_named(kind: Kind, factory: Any, reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        make(kind, factory, SERVICES, {})
    assert str(caught.value) == reason


def test_an_error_of_ours_stays_what_it_is() -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        make("memory", fail(StorageError("the disk is full")), SERVICES, {})
