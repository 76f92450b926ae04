from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib import import_module

import pytest

from clawmesh.cli.main import main
from clawmesh.cli.parser import build


def fail(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(argv) == 2
    return capsys.readouterr().err


def test_options_are_understood_before_and_after_the_verb() -> None:
    before = build().parse_args(["--json", "--config", "x", "ask", "a", "b"])
    after = build().parse_args(["ask", "a", "b", "--json", "--config", "x"])
    assert before == after
    assert (before.json, before.config, before.data) == (True, "x", None)


@pytest.mark.parametrize(
    "argv",
    ["ask echo hi --seconds 5", "ask echo --seconds 5 hi", "ask --seconds 5 echo hi", "ask echo --seconds 5 -- hi"],
)
def test_the_options_of_a_verb_stand_anywhere_among_its_words(argv: str) -> None:
    arguments = build().parse_args(argv.split())
    assert (arguments.agent, arguments.message, arguments.seconds) == ("echo", "hi", 5)


def test_what_comes_after_two_dashes_is_no_option() -> None:
    arguments = build().parse_args(["ask", "echo", "--quiet", "--", "--json"])
    assert (arguments.message, arguments.quiet, arguments.json) == ("--json", True, False)


def test_numbers_below_zero_and_dashed_lines_are_words() -> None:
    assert build().parse_args(["ask", "echo", "-5"]).message == "-5"
    assert build().parse_args(["ask", "echo", "- milk"]).message == "- milk"
    assert build().parse_args(["dead", "discard", "a", "--yes", "b"]).ids == ["a", "b"]


def test_an_unknown_option_names_the_nearest_and_the_help_of_its_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys, "ask", "echo", "--sesonds=5") == (
        'clawmesh: there is no option "--sesonds"; did you mean "--seconds"?\n  Try \'clawmesh ask --help\'.\n'
    )
    assert 'there is no option "--xx"; expected one of --config, --data, --debug' in fail(capsys, "serve", "--xx")
    assert "Try 'clawmesh --help'." in fail(capsys, "--jsn", "serve")


def test_one_word_too_many_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys, "ask", "echo", "two", "words") == (
        'clawmesh: "words" is one word too many; a text of several words stands in quotation marks\n'
        "  Try 'clawmesh ask --help'.\n"
    )
    assert 'clawmesh: "now" is one word too many\n' in fail(capsys, "serve", "now")


def test_every_word_and_option_of_every_verb_is_described() -> None:
    for parser in verbs(build()):
        assert [action.dest for action in parser._actions if not action.help and action.nargs != argparse.PARSER] == []


def verbs(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of the verbs that it lists."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                yield from verbs(action.choices[listed.dest])


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys, "aks", "x") == (
        'clawmesh: there is no command "aks"; did you mean "ask"?\n  Try \'clawmesh --help\'.\n'
    )


def test_an_unknown_verb_of_a_group_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    message = fail(capsys, "plugins", "instal", "x")
    assert 'there is no command "instal"; did you mean "install"?' in message
    assert "Try 'clawmesh plugins --help'." in message


def test_a_verb_for_child_processes_is_not_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected one of check, install, list, new, trust, untrust" in fail(capsys, "plugins", "fly")


def test_a_missing_argument_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the following arguments are required: agent" in fail(capsys, "ask")


@pytest.mark.parametrize(
    "argv",
    [
        ["demo"],
        ["ask", "a"],
        ["chat"],
        ["agents"],
        ["plugins", "list"],
        ["plugins", "new", "x"],
        ["plugins", "check", "x"],
        ["plugins", "trust", "x"],
        ["plugins", "install", "x"],
        ["init"],
        ["config", "check"],
        ["config", "show"],
        ["config", "schema"],
        ["config", "path"],
        ["backup", "x"],
        ["restore", "x"],
        ["doctor"],
        ["service", "install"],
        ["service", "uninstall"],
        ["service", "status"],
        ["bench"],
        ["completion", "bash"],
    ],
)
def test_every_verb_leads_to_a_function(argv: list[str]) -> None:
    module, name = build().parse_args(argv).run.split(":")
    assert callable(getattr(import_module(module), name))


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Try: clawmesh demo" in capsys.readouterr().out


def test_a_wrong_command_line_is_json_for_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aks", "--json"]) == 2
    said = capsys.readouterr()
    message = 'there is no command "aks"; did you mean "ask"?'
    assert json.loads(said.out) == {"error": {"type": "UsageError", "message": message}}
    assert said.err.startswith(f"clawmesh: {message}\n")


@pytest.mark.parametrize("given", ["nan", "inf", "0", "-1", "1e400", "soon", ""])
def test_seconds_are_a_finite_number_above_zero(capsys: pytest.CaptureFixture[str], given: str) -> None:
    message = fail(capsys, "ask", "a", "b", f"--seconds={given}")
    assert f'argument --seconds: found "{given}", expected a number greater than 0' in message


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many", "²", ""])
def test_streams_are_at_least_one(capsys: pytest.CaptureFixture[str], given: str) -> None:
    message = fail(capsys, "bench", f"--streams={given}")
    assert f'argument --streams: found "{given}", expected an integer of at least 1' in message


def test_numbers_are_read() -> None:
    assert build().parse_args(["ask", "a", "b", "--seconds", "0.5"]).seconds == 0.5
    assert build().parse_args(["bench", "--streams", "200"]).streams == 200


@pytest.mark.parametrize("verb", [["ask", "a"], ["demo"]])
def test_a_message_is_utf_8(capsys: pytest.CaptureFixture[str], verb: list[str]) -> None:
    assert "argument message: what is given is not UTF-8" in fail(
        capsys, *verb, b"caf\xe9".decode(errors="surrogateescape")
    )
    assert build().parse_args([*verb, "café 😀"]).message == "café 😀"
