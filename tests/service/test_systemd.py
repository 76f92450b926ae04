"""Units, in the judgement of systemd itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from clawmesh.errors import UsageError
from clawmesh.service.plan import STATE, Plan
from clawmesh.service.systemd import UNFIT, UNIT, quoted, unit, verbatim

NAMES = ["plain", "with blank", "100% %h %%", "$HOME ${x} $$", "quo\"te's", "back\\slash\\", "umläut", "; # semicolon"]


def plan(folder: Path, *, system: bool = False, user: str = "") -> Plan:
    """Return a plan in which everything is in this folder, with a program that can be started."""
    program = folder / "claw mesh"
    if UNFIT & set(str(folder)):
        program = folder.parent / "clawmesh"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    data = folder / "data" if user or not system else STATE
    return Plan((str(program),), folder / "clawmesh.toml", data, folder / "clawmesh.env", system, user)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["user", "system", "owner"])
def test_systemd_finds_no_fault_with_it(tmp_path: Path, name: str, kind: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    folder = tmp_path / name
    folder.mkdir()
    (tmp_path / "run").mkdir(mode=0o700)
    user = "daemon" if kind == "owner" else ""
    text = unit(plan(folder, system=kind != "user", user=user), {"CLAWMESH_RUNTIME_DIR": str(folder)})
    (tmp_path / UNIT).write_text(text)
    scope = ["--user"] if kind == "user" else []
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    words = ["systemd-analyze", *scope, "verify", "--man=no", str(tmp_path / UNIT)]
    done = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_words_and_texts_are_kept_as_they_are() -> None:
    assert quoted('a "b" 5% c\\d') == '"a \\"b\\" 5%% c\\\\d"'
    assert verbatim("a 5% $b") == "a 5%% $b"


def test_who_the_service_is(tmp_path: Path) -> None:
    mine = unit(plan(tmp_path), {})
    assert "User=" not in mine
    assert "WantedBy=default.target" in mine
    invented = unit(plan(tmp_path, system=True), {})
    assert "DynamicUser=yes\nStateDirectory=clawmesh\n" in invented
    assert "WantedBy=multi-user.target" in invented
    owner = unit(plan(tmp_path, system=True, user="ada"), {})
    assert f'User=ada\nReadWritePaths="{tmp_path}/data"\n' in owner
    for text in (mine, invented, owner):
        assert "Type=notify\nNotifyAccess=main\n" in text
        assert "Restart=on-failure\n" in text
        assert "NoNewPrivileges=yes\n" in text


def test_a_program_that_systemd_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "it's").mkdir()
    unfit = msgspec.structs.replace(plan(tmp_path), command=(str(tmp_path / "it's" / "clawmesh"),))
    with pytest.raises(UsageError, match="systemd starts no program with ' in its path"):
        unit(unfit, {})
