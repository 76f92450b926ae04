from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from clawmesh.cli import config
from clawmesh.cli.console import Console
from clawmesh.cli.parser import build
from clawmesh.errors import ConfigError
from tests.cli.conftest import Person

SOUND = '[backends.scripted]\nrules = [{ say = "yes" }]\n[agents.a]\nmodel = "m"\ntools = ["clock"]\n'


class Desk:
    """Runs the commands over one configuration, and keeps what they write."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.file = folder / "clawmesh.toml"
        self.data = folder / "data"
        self.environ = environ or {}
        self.output = ""
        self.errors = ""

    def run(self, verb: str, *words: str) -> int:
        places = ["--config", str(self.file), "--data", str(self.data)]
        arguments = build().parse_args(["config", verb, *places, *words])
        output, errors = io.StringIO(), io.StringIO()
        console = Console(output, errors, self.environ, as_json=getattr(arguments, "json", False))
        try:
            code: int = getattr(config, verb)(arguments, console)
        finally:
            self.output, self.errors = output.getvalue(), errors.getvalue().replace(f"{self.file.parent}/", "")
        return code

    def json(self, verb: str) -> Any:
        self.run(verb, "--json")
        return json.loads(self.output)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.file.write_text(SOUND)
    return desk


def test_a_sound_configuration_is_counted(desk: Desk) -> None:
    assert desk.run("check") == 0
    assert (desk.output, desk.errors) == ("ok: 1 agent, 1 backend, in 1 file\n", "")
    desk.file.write_text(SOUND + '[agents.b]\nmodel = "m"\n[tools.clock]\n[memories.ram]\n')
    assert desk.run("check") == 0
    assert desk.output == "ok: 2 agents, 1 backend, 1 tool, 1 memory, in 1 file\n"


def test_structure_and_plugins_are_checked_in_one_go(desk: Desk) -> None:
    desk.file.write_text('[backends.scripted]\npcae = 1\n[agents.a]\nmodel = "m"\nsteps = 3\ntools = ["clok"]\n')
    assert desk.run("check") == 2
    assert desk.output == ""
    assert desk.errors.splitlines() == [
        'clawmesh.toml:2: backends.scripted.pcae: unknown key; did you mean "pace"?',
        'clawmesh.toml:5: agents.a.steps: unknown key; it belongs into the table "limits": limits.steps = …',
        'clawmesh.toml:6: agents.a.tools: there is no tool "clok"; did you mean "clock"?',
        "clawmesh: 3 problems in clawmesh.toml",
    ]


@pytest.mark.parametrize("words", [["ask", "a", "hi"], ["serve"], ["agents"]])
def test_a_command_that_needs_it_whole_names_every_problem_too(person: Person, words: list[str]) -> None:
    (person.folder / "clawmesh.toml").write_text(
        '[backends.scripted]\npcae = 1\n[agents.a]\nmodel = "m"\npeers = ["b"]\ntools = ["clok"]\n'
    )
    assert person.run(*words, code=2).stderr.replace(f"{person.folder}/", "").splitlines() == [
        'clawmesh.toml:2: backends.scripted.pcae: unknown key; did you mean "pace"?',
        'clawmesh.toml:5: agents.a.peers: there is no agent "b"; there is a',
        'clawmesh.toml:6: agents.a.tools: there is no tool "clok"; did you mean "clock"?',
        "clawmesh: 3 problems in the configuration",
    ]


def test_problems_are_data_for_scripts(desk: Desk) -> None:
    desk.file.write_text("[mesh]\nhops = 0\n")
    assert desk.run("check", "--json") == 2
    assert json.loads(desk.output) == {
        "ok": False,
        "files": [str(desk.file)],
        "problems": [
            {
                "file": str(desk.file),
                "line": 2,
                "table": "mesh",
                "key": "hops",
                "message": "found 0 (integer), expected an integer of at least 1",
            }
        ],
        "warnings": [],
    }


def test_a_flood_of_problems_is_cut_for_a_person_and_whole_for_a_script(desk: Desk) -> None:
    desk.file.write_text("".join(f"[agents.a{number}]\nnone = 1\n" for number in range(150)))
    assert desk.run("check") == 2
    assert desk.errors.splitlines()[-2:] == [
        "and 50 more; --json shows all",
        "clawmesh: 150 problems in clawmesh.toml",
    ]
    assert len(desk.json("check")["problems"]) == 150


def test_warnings_are_shown_and_are_no_problem(desk: Desk) -> None:
    key = desk.file.with_name("key")
    key.write_text("k")
    key.chmod(0o644)
    desk.file.write_text('[backends.openai]\napi_key = { file = "key" }\n')
    assert desk.run("check") == 0
    assert desk.errors == "warning: the secret's file key may be read by other users: chmod 600 it\n"


def test_the_configuration_in_force_is_shown(desk: Desk) -> None:
    assert desk.run("show") == 0
    assert "# " + str(desk.file) + ":3\n[agents.a]\n" in desk.output
    shown = tomli.loads(desk.output)
    assert shown["agents"]["a"]["limits"]["steps"] == 16
    assert desk.json("show") == shown


def test_no_secret_is_shown(desk: Desk) -> None:
    desk.environ = {"OPENAI_API_KEY": "hunter2"}
    desk.file.write_text('[backends.openai]\napi_key = { env = "OPENAI_API_KEY" }\n')
    for verb in ("check", "show"):
        assert desk.run(verb) == 0
        assert "hunter2" not in desk.output + desk.errors
    assert 'env = "OPENAI_API_KEY"' in desk.output


def test_showing_what_is_broken_is_an_error(desk: Desk) -> None:
    desk.file.write_text("[mesh]\nhops = 0\n")
    with pytest.raises(ConfigError):
        desk.run("show")


def test_the_schema_knows_the_bundled_plugins(desk: Desk) -> None:
    assert desk.run("schema") == 0
    validator = Draft202012Validator(json.loads(desk.output))
    assert list(validator.iter_errors(tomli.loads(SOUND))) == []
    assert list(validator.iter_errors({"backends": {"openai": {"base_ulr": "x"}}})) != []


def test_the_path_is_printed(desk: Desk) -> None:
    assert desk.run("path") == 0
    assert desk.output == f"{desk.file}\n"
    assert desk.json("path") == {"config": str(desk.file), "data": str(desk.data), "looked": [str(desk.file)]}


def test_the_executable_checks_a_configuration(person: Person) -> None:
    assert person.run("config", "check").stdout.startswith("ok: 5 agents, 2 backends")
    assert person.json("config", "check")["problems"] == []
    schema = person.json("config", "schema")
    assert (
        list(Draft202012Validator(schema).iter_errors(tomli.loads((person.folder / "clawmesh.toml").read_text()))) == []
    )


def test_the_executable_can_ask_a_keyring(person: Person) -> None:
    (person.folder / "clawmesh.toml").write_text('[backends.openai]\napi_key = { keyring = "openai/nobody" }\n')
    said = person.run("config", "check", code=2).stderr
    # Which of the two depends on the machine; that the package is there does not.
    assert "this machine runs no keyring" in said or "the keyring" in said
    assert "not installed" not in said


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            '[backends.a]\ntype = "openai"\nbase_url = "localhost:80"\nmodel = "m"\n[agents.x]',
            "clawmesh.toml:1: backends.a: 'localhost:80/chat/completions' is no absolute URL: expected https://host/path",
        ),
        (
            '[backends.a]\ntype = "scripted"\nmodel = "m"\nrules = [{ when = "(" }]\n[agents.x]',
            "clawmesh.toml:1: backends.a: its plugin failed: error: missing ), unterminated subpattern at position 0",
        ),
        (
            '[backends.a]\ntype = "scripted"\nmodel = "m"\n[agents.x]\noutput_schema = { type = "strin" }',
            "clawmesh.toml:5: agents.x.output_schema: no JSON Schema: $.type: 'strin' is not valid under any of",
        ),
        ('[http]\nproxy = "ftp://x"', 'clawmesh.toml: http.proxy: found "ftp://x", expected http://host:port'),
        ('[http]\nca_file = "gone.pem"', "clawmesh.toml: http.ca_file: the file"),
    ],
)
def test_check_finds_what_shows_only_when_the_mesh_opens(person: Person, toml: str, message: str) -> None:
    (person.folder / "clawmesh.toml").write_text(toml)
    assert message in person.run("config", "check", code=2).stderr
