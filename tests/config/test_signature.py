from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from clawmesh.config.fault import Faults
from clawmesh.config.mark import Duration
from clawmesh.config.model import AgentSettings, Component, HttpSettings, Limits, MeshSettings, PluginSettings
from clawmesh.config.scope import Scope
from clawmesh.config.signature import bind, convert, fields_of
from clawmesh.config.source import Place, Source
from clawmesh.errors import ConfigError, PluginError
from clawmesh.secret import Secret
from tests.config.offers import Colour, Fetch, Rule, openai, workflow

SCOPE = Scope("/etc/clawmesh", {"KEY": "k", "HOME": "/home/me"})


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)


class Line(Struct, frozen=True):
    start: Point
    colour: Colour = Colour.RED


def every(
    *,
    text: str,
    integer: int = 0,
    number: float = 0.0,
    boolean: bool = False,
    path: Path | None = None,
    secret: Secret | None = None,
    span: Duration = 1.0,
    strings: list[str] | None = None,
    numbers: Sequence[float] = (),
    pair: tuple[int, ...] = (),
    table: Mapping[str, int] | None = None,
    plain: dict[str, Any] | None = None,
    choice: Literal["a", "b", 3] = "a",
    colour: Colour = Colour.RED,
    either: int | str = 0,
    bounded: Annotated[int, Meta(ge=1, lt=10)] = 1,
    short: Annotated[str, Meta(min_length=2, max_length=3)] = "ab",
    point: Point | None = None,
    line: Line | None = None,
    anything: Any = None,
    headers: Mapping[str, str | Secret] | None = None,
) -> None:
    """Take one of each."""


def converted(name: str, value: Any) -> Any:
    result = convert(value, fields_of(every)[name], SCOPE)
    assert not isinstance(result, Faults), result
    return result


def said(name: str, value: Any) -> list[tuple[tuple[str | int, ...], str]]:
    result = convert(value, fields_of(every)[name], SCOPE)
    assert isinstance(result, Faults)
    return [(fault.path, fault.message) for fault in result]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "x", "x"),
        ("integer", 3, 3),
        ("number", 3, 3.0),
        ("number", 3.5, 3.5),
        ("boolean", True, True),
        ("path", "a/b", Path("/etc/clawmesh/a/b")),
        ("path", "/a/b", Path("/a/b")),
        ("path", "~/a", Path("/home/me/a")),
        ("span", "1h30m", 5400.0),
        ("span", 2, 2.0),
        ("strings", ["a", "b"], ["a", "b"]),
        ("numbers", [1, 2.5], (1.0, 2.5)),
        ("pair", [1, 2], (1, 2)),
        ("table", {"a": 1}, {"a": 1}),
        ("plain", {"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}),
        ("choice", "b", "b"),
        ("choice", 3, 3),
        ("colour", "blue", Colour.BLUE),
        ("either", 3, 3),
        ("either", "x", "x"),
        ("bounded", 9, 9),
        ("short", "abc", "abc"),
        ("point", {"x": 1, "tags": ["a"]}, Point(1, 0, ["a"])),
        ("line", {"start": {"x": 1}, "colour": "blue"}, Line(Point(1), Colour.BLUE)),
        ("anything", {"a": 1}, {"a": 1}),
    ],
)
def test_values_become_what_the_parameter_wants(name: str, value: Any, expected: Any) -> None:
    result = converted(name, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", 12, [((), "found 12 (integer), expected a string")]),
        ("text", "sk-1234567890abcdef", []),
        ("integer", True, [((), "found true (boolean), expected an integer")]),
        ("integer", 1.0, [((), "found 1.0 (number), expected an integer")]),
        ("integer", "x" * 80, [((), f'found "{"x" * 59}…" (string), expected an integer')]),
        (
            "integer",
            "sk-1234567890abcdef",
            [((), "found a string that looks like a key (not shown), expected an integer")],
        ),
        ("number", float("nan"), [((), "found nan (number), expected a number")]),
        ("path", "a\0b", [((), 'found "a\\u0000b" (string), expected a path')]),
        (
            "strings",
            ["a", 1, True],
            [((1,), "found 1 (integer), expected a string"), ((2,), "found true (boolean), expected a string")],
        ),
        ("table", {"a": "x"}, [(("a",), 'found "x" (string), expected an integer')]),
        ("table", [1], [((), "found a list, expected a table of integers")]),
        ("choice", True, [((), 'found true (boolean), expected "a", "b" or 3')]),
        ("choice", "c", [((), 'found "c" (string), expected "a", "b" or 3')]),
        ("colour", 1, [((), 'found 1 (integer), expected "red" or "blue"')]),
        ("either", 1.5, [((), "found 1.5 (number), expected an integer or a string")]),
        ("bounded", 10, [((), "found 10 (integer), expected an integer of at least 1 below 10")]),
        ("short", "a", [((), 'found "a" (string), expected a string of length at least 2 of length at most 3')]),
        (
            "point",
            {"y": "1", "z": 2},
            [
                (("y",), 'found "1" (string), expected an integer'),
                (("z",), "unknown key; the keys here are tags, x, y"),
                (("x",), "missing; expected an integer"),
            ],
        ),
        ("line", {"start": {"x": "1"}}, [(("start", "x"), 'found "1" (string), expected an integer')]),
    ],
)
def test_what_does_not_fit_is_said(name: str, value: Any, expected: list[tuple[tuple[str | int, ...], str]]) -> None:
    if expected:
        assert said(name, value) == expected
    else:
        assert converted(name, value) == value


def test_secrets_are_resolved_where_they_are_allowed() -> None:
    secret = converted("secret", {"env": "KEY"})
    assert (secret.reveal(), str(secret)) == ("k", "Secret(env KEY)")
    headers = converted("headers", {"Accept": "text/plain", "X-Key": {"env": "KEY"}})
    assert headers["Accept"] == "text/plain"
    assert headers["X-Key"].reveal() == "k"


def test_a_secret_is_never_repeated() -> None:
    for value in ("hunter2", 12345, 1.5, ["hunter2"], {"env": "KEY", "value": "hunter2"}):
        [(_, message)] = said("secret", value)
        assert "hunter2" not in message
        assert "12345" not in message
    [(path, message)] = said("headers", {"Authorization": "Bearer hunter2hunter2"})
    assert path == ("Authorization",)
    assert "hunter2" not in message


def test_the_keys_of_a_function_are_its_keyword_only_parameters() -> None:
    assert list(fields_of(openai)) == ["base_url", "api_key", "api", "model", "headers", "silence"]
    assert [name for name, each in fields_of(workflow).items() if each.required] == ["rounds"]


def test_the_keys_of_a_class_are_those_of_its_constructor() -> None:
    assert {name: each.required for name, each in fields_of(Fetch).items()} == {"allow": True, "max_bytes": False}


def test_the_keys_of_a_record_are_its_fields() -> None:
    assert {name: each.required for name, each in fields_of(Rule).items()} == {"say": True, "when": False}
    assert {name: each.required for name, each in fields_of(Line).items()} == {"start": True, "colour": False}


def test_docstrings_describe_the_keys() -> None:
    fields = fields_of(openai)
    assert fields["base_url"].doc == "The address up to the version, such as `http://127.0.0.1:8080/v1`."
    assert fields["api_key"].doc == "Sent as a bearer token."
    assert fields["api"].doc == ""


@pytest.mark.parametrize("settings", [AgentSettings, Limits, MeshSettings, PluginSettings, HttpSettings])
def test_every_key_of_the_configuration_is_described(settings: type) -> None:
    assert [name for name, each in fields_of(settings).items() if not each.doc] == []


def unhinted(*, size) -> None:  # type: ignore[no-untyped-def]
    """Lack a hint."""


def strange(*, when: complex) -> None:
    """Want what TOML does not have."""


def broken(*, size: Unknown) -> None:  # type: ignore[name-defined] # noqa: F821
    """Name a type that is not there."""


class Shade(Enum):
    DARK = 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (unhinted, 'parameter "size" of unhinted has no type hint, which its configuration needs'),
        (strange, "parameter \"when\" of strange has the type <class 'complex'>, which cannot be written in TOML"),
        (broken, "the type hints of broken name 'Unknown', which its module lacks"),
    ],
)
def test_a_signature_that_is_no_configuration_is_refused(source: Any, expected: str) -> None:
    with pytest.raises(PluginError) as caught:
        fields_of(source)
    assert str(caught.value) == expected


def test_binding_gives_the_keyword_arguments_that_are_said() -> None:
    place = Place(Source("/etc/clawmesh/clawmesh.toml"), ("backends", "a"))
    component = Component("a", "openai", {"api": "chat", "api_key": {"env": "KEY"}}, place)
    arguments = bind(component, openai, {"KEY": "k"})
    assert list(arguments) == ["api", "api_key"]
    assert arguments["api_key"].reveal() == "k"


def test_binding_names_the_place_of_every_problem() -> None:
    text = "\n[backends.a]\nbase_url = 3\n[backends.a.headers]\nX = 1\n"
    arguments = {"base_url": 3, "headers": {"X": 1}}
    component = Component("a", "openai", arguments, Place(Source("c.toml", text), ("backends", "a")))
    with pytest.raises(ConfigError) as caught:
        bind(component, openai, {})
    where = [(problem.file, problem.line, problem.table, problem.key) for problem in caught.value.problems]
    assert where == [("c.toml", 3, "backends.a", "base_url"), ("c.toml", 5, "backends.a.headers", "X")]
