from __future__ import annotations

import io

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


def shown(output: io.StringIO, *, quiet: bool = False) -> View:
    view = View(Console(output, io.StringIO(), {"NO_COLOR": "1"}), quiet=quiet)
    for piece in PIECES:
        view.piece(piece)
    view.finish("It is noon.")
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
    assert view.calls["1"] == {
        "id": "1",
        "name": "clock",
        "arguments": '{"timezone": "UTC"}',
        "result": "noon",
        "failed": False,
    }
