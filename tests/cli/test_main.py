"""How a command that fails ends."""

from __future__ import annotations

import argparse
import io
import json

import pytest

from clawmesh.cli.console import Console
from clawmesh.cli.main import execute
from clawmesh.errors import UsageError


def broken(arguments: argparse.Namespace, console: Console) -> int:
    raise KeyError("lost")


def wrong(arguments: argparse.Namespace, console: Console) -> int:
    raise UsageError("no")


def run(function: str, *, as_json: bool = False, debug: bool = False) -> tuple[int, str, str]:
    output, errors = io.StringIO(), io.StringIO()
    console = Console(output, errors, {}, as_json=as_json, debug=debug)
    code = execute(argparse.Namespace(run=f"{__name__}:{function}"), console)
    return code, output.getvalue(), errors.getvalue()


def test_a_fault_of_our_own_is_one_sentence() -> None:
    sentence = "clawmesh: this is a fault of ClawMesh itself: KeyError: 'lost' (--debug shows where)\n"
    assert run("broken") == (1, "", sentence)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("function", "code", "error"),
    [
        ("broken", 1, {"type": "KeyError", "message": "'lost'"}),
        ("wrong", 2, {"type": "UsageError", "message": "no"}),
    ],
)
def test_every_error_is_json_too(function: str, code: int, error: dict[str, str], debug: bool) -> None:
    ended, output, errors = run(function, as_json=True, debug=debug)
    assert ended == code
    assert json.loads(output) == {"error": error}
    assert ("Traceback" in errors) is debug
    assert error["message"] in errors
