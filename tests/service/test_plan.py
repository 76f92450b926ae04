"""What a service runs, and what it is refused."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import pytest

from clawmesh.config.location import Places
from clawmesh.errors import ConfigError, UsageError
from clawmesh.service.plan import STATE, command, environment, plan

COMMAND = ("/bin/sh", "-m")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "clawmesh.toml").write_text("")
    (tmp_path / "data").mkdir()
    return Places(tmp_path / "clawmesh.toml", tmp_path / "data")


def test_all_that_is_relative_is_said(places: Places) -> None:
    found = plan(places, COMMAND, system=False, named=False)
    assert found.words == (
        *(*COMMAND, "--config", str(places.config)),
        *("--data", str(places.data), "serve"),
    )
    assert found.keys == places.config.parent / "clawmesh.env" if places.config else None


def test_the_system_s_service_runs_as_the_owner_of_its_data(places: Places) -> None:
    assert plan(places, COMMAND, system=True, named=True).user == getpass.getuser()
    with pytest.raises(UsageError, match="is not there: make it first"):
        plan(Places(places.config, places.data / "missing"), COMMAND, system=True, named=True)


def test_a_user_that_the_system_invents_sees_no_temporary_folder(tmp_path: Path) -> None:
    (tmp_path / "clawmesh.toml").write_text("")
    if tmp_path.is_relative_to("/tmp"):
        with pytest.raises(UsageError, match="the service could not see"):
            plan(Places(tmp_path / "clawmesh.toml", tmp_path), COMMAND, system=True, named=False)


def test_one_that_may_read_everything_needs_no_data_directory(places: Places) -> None:
    found = plan(Places(Path("/etc/hosts"), places.data), COMMAND, system=True, named=False)
    assert (found.user, found.data) == ("", STATE)
    with pytest.raises(UsageError, match=r"could not use /etc/shadow, because /etc/shadow is closed to others"):
        plan(Places(Path("/etc/shadow"), places.data), COMMAND, system=True, named=False)


def test_a_configuration_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration"):
        plan(Places(None, tmp_path), COMMAND, system=False, named=False)


def test_a_line_break_in_a_path_is_refused(places: Places) -> None:
    with pytest.raises(UsageError, match="rename it"):
        plan(Places(places.config, places.data / "a\nb"), COMMAND, system=False, named=False)


def test_this_program_is_what_runs() -> None:
    assert command() == (sys.executable, "-m", "clawmesh")


def test_only_what_finds_the_program_goes_along() -> None:
    given = {"CLAWMESH_RUNTIME_DIR": "/r", "OPENAI_API_KEY": "canary", "PYTHONPATH": ".", "HOME": "/"}
    assert environment(given) == {"CLAWMESH_RUNTIME_DIR": "/r", "PYTHONPATH": "."}
