from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clawmesh.cli.main import main
from clawmesh.plugin.importer import NAMESPACE


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Home]:
    """A folder with a configuration, and the command line over it."""
    path = list(sys.path)
    (tmp_path / "clawmesh.toml").write_text("")
    yield Home(tmp_path, capsys)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] == NAMESPACE]:
        del sys.modules[name]


class Home:
    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def run(self, *argv: str) -> tuple[int, str, str]:
        """Run a verb of `plugins`; return its exit code, output and notes."""
        places = ("--config", str(self.root / "clawmesh.toml"), "--data", str(self.root / "data"))
        code = main(["plugins", *argv, *places])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *argv: str) -> Any:
        code, out, _ = self.run(*argv, "--json")
        assert code in (0, 1)
        return json.loads(out)

    def state(self, name: str) -> str:
        states = {plugin["name"]: plugin["state"] for plugin in self.json("list")}
        return str(states[name])


@pytest.mark.parametrize("kind", ["tool", "agent", "backend", "memory"])
def test_a_new_plugin_works_at_once(home: Home, kind: str) -> None:
    code, out, notes = home.run("new", "mine", "--kind", kind)
    assert (code, out) == (0, f"{home.root}/plugins/mine.py\n")
    assert 'type = "mine"' in notes or 'tools = ["mine"]' in notes
    assert home.state("mine") == "loaded"
    finding = home.json("check", "mine")
    assert finding["ok"]
    assert [(offer["kind"], offer["name"]) for offer in finding["offers"]] == [(kind, "mine")]


def test_a_new_plugin_cannot_be_changed_by_others(home: Home) -> None:
    before = os.umask(0)
    try:
        home.run("new", "mine")
    finally:
        os.umask(before)
    assert stat.S_IMODE((home.root / "plugins").stat().st_mode) == 0o755
    assert stat.S_IMODE((home.root / "plugins" / "mine.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((home.root / "data").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-tool", '"my-tool" cannot name a plugin; take a Python name that is free, such as "my_tool"'),
        ("class", '"class" cannot name a plugin; take a Python name that is free, such as "my_class"'),
        ("_x", '"_x" cannot name a plugin; take a Python name that is free, such as "x"'),
        ("recall", '"recall" cannot name a plugin; take a Python name that is free, such as "my_recall"'),
        ("str", '"str" cannot name a plugin; take a Python name that is free, such as "my_str"'),
        ("Mapping", '"Mapping" cannot name a plugin; take a Python name that is free, such as "my_Mapping"'),
        ("clock", "there is a plugin clock already: "),
    ],
)
def test_a_name_that_cannot_be_is_refused(home: Home, name: str, message: str) -> None:
    code, _, notes = home.run("new", name)
    assert code == 2
    assert message in notes
    assert not (home.root / "plugins").exists()


def test_nothing_is_overwritten(home: Home) -> None:
    home.run("new", "mine")
    (home.root / "plugins" / "mine.py").write_text("precious = 1")
    assert home.run("new", "mine")[0] == 2
    assert (home.root / "plugins" / "mine.py").read_text() == "precious = 1"


def test_a_file_is_trusted_changed_and_not_trusted_any_more(home: Home) -> None:
    path = home.root / "plugins" / "mine.py"
    path.parent.mkdir(mode=0o755)
    path.write_text('# /// script\n# dependencies = ["six"]\n# ///\ndef before_tool(): pass\n')
    assert home.state("mine") == "untrusted"
    fact = home.json("trust", "mine")
    assert (fact["file"], fact["bytes"], fact["dependencies"]) == (str(path), path.stat().st_size, ["six"])
    assert home.state("mine") == "loaded"
    path.write_text("def before_tool(): return None\n")
    assert home.state("mine") == "changed"
    code, out, notes = home.run("trust", str(path))
    assert code == 0
    assert str(path) in out
    assert "mine is trusted as it is now" in notes
    assert home.state("mine") == "loaded"
    home.run("untrust", "mine")
    assert home.state("mine") == "untrusted"


def test_the_list_shows_what_is_wrong(home: Home) -> None:
    home.run("new", "mine")
    path = home.root / "plugins" / "mine.py"
    path.write_text("1 / 0\n")
    home.run("trust", "mine")
    code, out, _ = home.run("list")
    assert code == 0
    assert "mine.py, line 1: ZeroDivisionError: division by zero" in out
    assert f'File "{path}", line 1' in out
    assert "tool clock" in out


def test_a_disabled_plugin_is_listed_so(home: Home) -> None:
    (home.root / "clawmesh.toml").write_text('[plugins]\ndisabled = ["clock"]\n')
    assert home.state("clock") == "disabled"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("trust", "clocks"), 'there is no plugin "clocks"; did you mean "clock"?'),
        (("trust", "clock"), "clock is part of ClawMesh: it is trusted, and has all that it needs"),
        (("install", "ELSEWHERE"), "lies in no plugins folder and is never loaded; move it to "),
    ],
)
def test_what_cannot_be_trusted_is_named(home: Home, argv: tuple[str, str], message: str) -> None:
    elsewhere = home.root / "elsewhere.py"
    elsewhere.write_text("")
    code, _, notes = home.run(argv[0], argv[1].replace("ELSEWHERE", str(elsewhere)))
    assert code == 2
    assert message in notes


def test_a_failed_check_shows_found_and_expected(home: Home) -> None:
    home.run("new", "mine")
    path = home.root / "plugins" / "mine.py"
    path.write_text(path.read_text().replace('"Hello, Ada."', '"Goodbye."'))
    code, out, notes = home.run("check", "mine")
    assert code == 1
    assert "  found    Hello, Ada.\n  expected 'Goodbye.'\n" in out
    assert "1 of 3 examples failed" in notes


def test_there_is_nothing_to_install_for_a_plugin_without_needs(home: Home) -> None:
    home.run("new", "mine")
    code, _, notes = home.run("install", "mine")
    assert (code, notes) == (0, "mine names no dependencies; there is nothing to install\n")
