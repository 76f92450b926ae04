"""The property list for macOS."""

from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from clawmesh.errors import UsageError
from clawmesh.service.control import control
from clawmesh.service.launchd import agent
from clawmesh.service.plan import Plan

PLAN = Plan(("/opt/claw & <mesh>",), Path("/a b/clawmesh.toml"), Path("/d/100%"), Path("/a b/clawmesh.env"))


def test_it_says_what_the_plan_says() -> None:
    found = plistlib.loads(agent(PLAN, {"CLAWMESH_RUNTIME_DIR": "/r"}, Path("/l/log")).encode())
    words = ["/opt/claw & <mesh>", "--config", "/a b/clawmesh.toml", "--data", "/d/100%", "serve"]
    assert found["ProgramArguments"] == words
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    assert found["EnvironmentVariables"] == {"CLAWMESH_RUNTIME_DIR": "/r"}
    assert (found["Umask"], found["StandardErrorPath"], "UserName" in found) == (0o077, "/l/log", False)


def test_the_system_s_runs_as_the_owner_of_its_data() -> None:
    plan = Plan(PLAN.command, PLAN.config, PLAN.data, PLAN.keys, system=True, user="ada")
    assert plistlib.loads(agent(plan, {}, Path("/l")).encode())["UserName"] == "ada"
    here = control({"HOME": "/Users/ada"}, "darwin", system=True)
    assert here.file == Path("/Library/LaunchDaemons/clawmesh.plist")
    with pytest.raises(UsageError, match="say with --data which data directory"):
        here.text(Plan(PLAN.command, PLAN.config, PLAN.data, PLAN.keys, system=True))


def test_a_user_s_is_in_the_library() -> None:
    here = control({"HOME": "/Users/ada"}, "darwin", system=False)
    assert here.file == Path("/Users/ada/Library/LaunchAgents/clawmesh.plist")
    found = plistlib.loads(here.text(PLAN).encode())
    assert found["StandardOutPath"] == "/Users/ada/Library/Logs/clawmesh.log"
