from __future__ import annotations

import io
import json

import pytest

from clawmesh.cli.console import PROBLEMS, Console
from clawmesh.errors import ConfigError, FailedError, Problem


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


def test_a_note_begins_a_line_of_its_own() -> None:
    terminal = Terminal()
    console = Console(terminal, terminal, {"NO_COLOR": "1"})
    console.stream("half a line")
    console.note("a warning")
    console.stream("the rest\n")
    console.note("another")
    console.stream("left")
    console.note("")
    assert terminal.getvalue() == "half a line\na warning\nthe rest\nanother\nleft\n"


def test_tables_line_up() -> None:
    output = io.StringIO()
    Console(output, io.StringIO(), {}).table([("a", "long cell", "x"), ("bbb", "c", "y")], head=("A", "B", "C"))
    assert output.getvalue() == "A    B          C\na    long cell  x\nbbb  c          y\n"


def test_words_with_a_style_get_it_at_a_terminal_and_no_line_ends_in_blanks() -> None:
    rows, out = [("a", "failed", ""), ("failed b", "ok", "x")], Terminal()
    Console(out, io.StringIO(), {}).table(rows, styles={"failed": "red"})
    assert out.getvalue() == "a         \x1b[31mfailed\x1b[0m\nfailed b  ok      x\n"


@pytest.mark.parametrize("output", [Terminal, io.StringIO])
@pytest.mark.parametrize("errors", [Terminal, io.StringIO])
def test_each_stream_is_cleaned_where_it_is_a_terminal(output: type[io.StringIO], errors: type[io.StringIO]) -> None:
    out, err = output(), errors()
    console = Console(out, err, {"NO_COLOR": "1"})
    console.print(console.clean("\x1b[2Ja"))
    console.error("\x1b]0;b\x07")
    fault = FailedError("c\x9b")
    fault.add_note("\x07d")
    console.report(fault)
    assert out.getvalue() == ("a\n" if output is Terminal else "\x1b[2Ja\n")
    clean = "clawmesh: 0;b\nclawmesh: c\n  d\n"
    assert err.getvalue() == (clean if errors is Terminal else "clawmesh: \x1b]0;b\x07\nclawmesh: c\x9b\n  \x07d\n")


def test_a_note_has_its_styles_after_it_was_cleaned() -> None:
    errors = Terminal()
    Console(io.StringIO(), errors, {}).note("a\x1b[31m", "dim")
    assert errors.getvalue() == "\x1b[2ma\x1b[0m\n"
    errors = Terminal()
    Console(io.StringIO(), errors, {"NO_COLOR": "1"}).note("a", "dim")
    assert errors.getvalue() == "a\n"


def test_cells_may_be_foreign() -> None:
    output = Terminal()
    Console(output, io.StringIO(), {"NO_COLOR": "1"}).table([("a\x1b[31m", "b\x07"), ("ab", "c")])
    assert output.getvalue() == "a   b\nab  c\n"


def test_json_has_no_character_that_a_terminal_obeys() -> None:
    output = io.StringIO()
    text = "\x00\x1b[2J\x7f\x80\x9b\udc80é€😀\n"
    Console(output, io.StringIO(), {}).json({"text": text})
    assert output.getvalue() == '{"text": "\\u0000\\u001b[2J\\u007f\\u0080\\u009b\\udc80é€😀\\n"}\n'
    assert json.loads(output.getvalue()) == {"text": text}


def test_json_has_no_number_that_is_none() -> None:
    output = io.StringIO()
    Console(output, io.StringIO(), {}).json({"a": [float("nan"), (float("inf"), 1.5)], "b": -float("inf")})
    assert output.getvalue() == '{"a": [null, [null, 1.5]], "b": null}\n'


def test_a_flood_of_problems_is_cut() -> None:
    errors = io.StringIO()
    Console(io.StringIO(), errors, {}).report(ConfigError([Problem(str(number)) for number in range(PROBLEMS + 1)]))
    *_, last, summary = errors.getvalue().splitlines()
    assert last == str(PROBLEMS - 1)
    assert summary.startswith(f"clawmesh: {PROBLEMS + 1} problems in the configuration; 'clawmesh config check --json'")
