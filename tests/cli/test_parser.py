from __future__ import annotations

from importlib import import_module

import pytest

from clawmesh.cli.main import main
from clawmesh.cli.parser import build


def fail(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_options_are_understood_before_and_after_the_verb() -> None:
    before = build().parse_args(["--json", "--config", "x", "ask", "a", "b"])
    after = build().parse_args(["ask", "a", "b", "--json", "--config", "x"])
    assert before == after
    assert (before.json, before.config, before.data) == (True, "x", None)


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(capsys, "aks", "x") == (
        'clawmesh: there is no command "aks"; did you mean "ask"?\nTry \'clawmesh --help\'.\n'
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
