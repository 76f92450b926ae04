from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from clawmesh.abc.context import Context
from clawmesh.abc.tool import Effect, tool
from clawmesh.agent.function import FunctionTool
from clawmesh.errors import ArgumentError, PeerError, ToolError
from clawmesh.messages import Image, Text

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0


class Order(Struct):
    items: list[str]
    at: Point


def make(function: Any) -> FunctionTool:
    return FunctionTool(function, "it")


async def call(function: Any, **arguments: Any) -> Any:
    return await make(function).call(NOWHERE, arguments)


def everything(
    text: str,
    number: float,
    colour: Colour,
    order: Order,
    unit: Literal["c", "f"] = "c",
    tags: list[str] | None = None,
    count: Annotated[int, Meta(ge=1, le=9, description="how many")] = 3,
    extra: dict[str, int] = {},  # noqa: B006 - tools are written like this, too
) -> str:
    """Do everything.

    More about it, which the model does not read.

    Args:
        text: what to
            say
        number (float): the number: a real one
        count: overruled by the hint
    Returns:
        text: not an argument
    """
    return repr((text, number, colour, order, unit, tags, count, extra))


def test_hints_and_docstring_become_the_schema() -> None:
    spec = make(everything).spec
    assert (spec.name, spec.description, spec.effect, spec.approval) == ("it", "Do everything.", "unsafe", False)
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "what to say"},
            "number": {"type": "number", "description": "the number: a real one"},
            "colour": {"$ref": "#/$defs/Colour"},
            "order": {"$ref": "#/$defs/Order"},
            "unit": {"enum": ["c", "f"], "default": "c"},
            "tags": {
                "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
                "default": None,
            },
            "count": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many", "default": 3},
            "extra": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}},
        },
        "required": ["text", "number", "colour", "order"],
        "additionalProperties": False,
        "$defs": {
            "Colour": {"title": "Colour", "enum": ["blue", "red"]},
            "Order": {
                "title": "Order",
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": {"type": "string"}},
                    "at": {"$ref": "#/$defs/Point"},
                },
                "required": ["items", "at"],
            },
            "Point": {
                "title": "Point",
                "type": "object",
                "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                "required": ["x"],
            },
        },
    }


async def test_arguments_arrive_as_the_hints_have_them() -> None:
    order = {"items": ["a"], "at": {"x": 1}}
    assert await call(everything, text="t", number=2, colour="red", order=order) == repr(
        ("t", 2.0, Colour.RED, Order(["a"], Point(1, 0)), "c", None, 3, {})
    )


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({}, "a: missing; expected integer"),
    "type": ({"a": "3"}, 'a: expected `int`, got `str`; found "3"'),
    "boolean": ({"a": True}, "a: expected `int`, got `bool`; found true"),
    "unknown": ({"a": 1, "unti": "c"}, 'unti: there is no such argument; did you mean "unit"?'),
    "choice": ({"a": 1, "unit": "k"}, 'unit: expected one of "c", "f"; found "k"'),
    "inside": ({"a": 1, "at": {"x": "1"}}, 'at: expected `int`, got `str` - at `$.x`; found {"x":"1"}'),
    "bound": ({"a": 11}, "a: expected `int` <= 10; found 11"),
    "long": ({"a": "x" * 200}, f'a: expected `int`, got `str`; found "{"x" * 79}...'),
    "several": ({"unit": 1}, 'a: missing; expected integer; unit: expected one of "c", "f"; found 1'),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_argument_is_named_with_what_is_expected(name: str) -> None:
    def it(a: Annotated[int, Meta(le=10)], unit: Literal["c", "f"] = "c", at: Point | None = None) -> str:
        """Do."""
        raise AssertionError

    arguments, message = WRONG[name]
    with pytest.raises(ArgumentError) as caught:
        await make(it).call(NOWHERE, arguments)
    assert str(caught.value) == f"the arguments of it do not fit: {message}"


async def test_a_plain_function_runs_in_a_thread_and_a_coroutine_function_does_not() -> None:
    def plain() -> str:
        """Tell."""
        return threading.current_thread().name

    async def coroutine() -> str:
        """Tell."""
        return threading.current_thread().name

    assert await call(plain) == "clawmesh it"
    assert await call(coroutine) == threading.current_thread().name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        (None, ""),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        ([], "[]"),
    ],
)
async def test_a_result_becomes_text(value: Any, shown: str) -> None:
    def it() -> Any:
        """Give."""
        return value

    assert await call(it) == shown


async def test_text_and_images_stay_as_they_are() -> None:
    parts = [Text("see"), Image(media_type="image/png", data=b"1")]

    def it() -> Any:
        """Give."""
        return parts

    assert await call(it) is parts


async def test_a_result_without_json_form_is_a_tool_error() -> None:
    def it() -> Any:
        """Give."""
        return threading.Lock()

    with pytest.raises(ToolError, match="the tool returned a lock, which cannot be shown as text"):
        await call(it)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ValueError("no"), ToolError, "ValueError: no"),
        (SystemExit(3), ToolError, "SystemExit: 3"),
        (StopIteration("end"), ToolError, "RuntimeError: coroutine raised StopIteration"),
        (ToolError("sorry"), ToolError, "sorry"),
        (PeerError("not yours"), PeerError, "not yours"),
    ],
)
@pytest.mark.parametrize("threaded", [True, False])
async def test_what_a_function_raises(error: BaseException, kind: type[Exception], text: str, threaded: bool) -> None:
    def plain() -> None:
        """Fail."""
        raise error

    async def coroutine() -> None:
        """Fail."""
        raise error

    with pytest.raises(kind) as caught:
        await call(plain if threaded else coroutine)
    assert str(caught.value) == text


async def test_the_context_is_given_and_no_argument() -> None:
    def it(context: Context, /, a: int) -> str:
        """Do."""
        return f"{context} {a}"

    surroundings: Any = "here"
    assert list(make(it).spec.parameters["properties"]) == ["a"]
    assert await make(it).call(surroundings, {"a": 1}) == "here 1"


def test_a_mark_says_effect_and_approval() -> None:
    @tool(effect="idempotent", approval=True)
    def it() -> None:
        """Do."""

    assert (make(it).spec.effect, make(it).spec.approval) == (Effect.IDEMPOTENT, True)
