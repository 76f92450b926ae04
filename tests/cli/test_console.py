from __future__ import annotations

import io

from clawmesh.cli.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_no_control_characters_from_outside() -> None:
    output = Terminal()
    console = Console(output, io.StringIO(), {})
    console.stream("a\x1b[2Jb\x1b]0;title\x07c\x9bd\r\n\te")
    assert output.getvalue() == "ab0;titlecd\n\te"


def test_a_pipe_gets_the_text_as_it_is() -> None:
    output = io.StringIO()
    Console(output, io.StringIO(), {}).stream("a\x1b[2Jb")
    assert output.getvalue() == "a\x1b[2Jb"


def test_colours_are_for_terminals_that_want_them() -> None:
    assert Console(Terminal(), io.StringIO(), {}).style("x", "bold") == "\x1b[1mx\x1b[0m"
    assert Console(Terminal(), io.StringIO(), {"NO_COLOR": "1"}).style("x", "bold") == "x"
    assert Console(Terminal(), io.StringIO(), {"TERM": "dumb"}).style("x", "bold") == "x"
    assert Console(io.StringIO(), io.StringIO(), {}).style("x", "bold") == "x"


def test_notes_go_to_standard_error() -> None:
    output, errors = io.StringIO(), io.StringIO()
    console = Console(output, errors, {})
    console.print("result")
    console.error("broken")
    assert output.getvalue() == "result\n"
    assert errors.getvalue() == "clawmesh: broken\n"


def test_tables_line_up() -> None:
    output = io.StringIO()
    Console(output, io.StringIO(), {}).table([("a", "long cell", "x"), ("bbb", "c", "y")], head=("A", "B", "C"))
    assert output.getvalue() == "A    B          C\na    long cell  x\nbbb  c          y\n"
