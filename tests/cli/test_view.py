from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from clawmesh.cli.console import Console
from clawmesh.cli.view import View
from clawmesh.messages import Piece, Reasoning, Retraction, Text, ToolCall, ToolResult


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PIECES: list[Piece] = [
    Reasoning("let me "),
    Reasoning("see"),
    Text("I look it up.\n"),
    ToolCall("1", "clock", '{"timezone": "UTC"}'),
    ToolCall("2", "clock", "{"),
    ToolResult("1", "clock", (Text("noon"),)),
    ToolResult("2", "clock", (Text("the arguments are\nnot JSON"),), failed=True),
    Text("It is"),
    Retraction("the stream broke"),
    Text("It is noon."),
]


def shown(
    output: io.StringIO, pieces: Sequence[Piece] = PIECES, answer: str = "It is noon.", *, quiet: bool = False
) -> View:
    view = View(Console(output, io.StringIO(), {"NO_COLOR": "1"}), quiet=quiet)
    for piece in pieces:
        view.piece(piece)
    view.finish(answer)
    return view


def test_a_terminal_shows_everything_as_it_comes() -> None:
    output = Terminal()
    shown(output)
    assert output.getvalue().splitlines() == [
        "let me see",
        "I look it up.",
        '· clock(timezone="UTC") → noon',
        "· clock({) → the arguments are not JSON",
        "It is",
        "[starting again: the stream broke]",
        "It is noon.",
    ]


def test_quiet_leaves_the_text_alone() -> None:
    output = Terminal()
    shown(output, quiet=True)
    assert output.getvalue().splitlines() == [
        "I look it up.",
        "It is",
        "[starting again: the stream broke]",
        "It is noon.",
    ]


def test_a_pipe_gets_the_answer_once() -> None:
    output = io.StringIO()
    view = shown(output)
    assert output.getvalue() == "It is noon.\n"
    assert view.calls[0] == {
        "id": "1",
        "name": "clock",
        "arguments": '{"timezone": "UTC"}',
        "result": "noon",
        "failed": False,
    }


CLOCK = ToolResult("1", "clock", (Text("noon"),))


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([], ["It is noon."]),
        ([Text("It is "), Text("noon.")], ["It is noon."]),
        ([Text("Let me guess.")], ["Let me guess.", "It is noon."]),
        ([Text("It is noon."), CLOCK], ["It is noon.", "· clock() → noon", "It is noon."]),
        ([Text("It"), Retraction("lost")], ["It", "[starting again: lost]", "It is noon."]),
    ],
    ids=["nothing", "whole", "something else", "before a tool", "void"],
)
def test_a_terminal_shows_an_answer_that_did_not_stream(pieces: list[Piece], lines: list[str]) -> None:
    output = Terminal()
    shown(output, pieces)
    assert output.getvalue().splitlines() == lines


def test_calls_with_one_id_stay_apart() -> None:
    calls = [ToolCall("", "clock", "1"), ToolCall("", "clock", "2")]
    results = [ToolResult("", "clock", (Text("one"),)), ToolResult("", "clock", (Text("two"),), failed=True)]
    view = shown(io.StringIO(), [*calls, *results])
    assert [(call["arguments"], call["result"]) for call in view.calls] == [("1", "one"), ("2", "two")]


def test_void_calls_are_forgotten() -> None:
    lost = ToolCall("2", "clock", "{}")
    view = shown(io.StringIO(), [ToolCall("1", "clock", "{}"), CLOCK, lost, Retraction("lost")])
    assert [call["id"] for call in view.calls] == ["1"]


def test_a_result_without_its_call_is_kept() -> None:
    assert shown(io.StringIO(), [CLOCK]).calls == [{"id": "1", "name": "clock", "result": "noon", "failed": False}]
