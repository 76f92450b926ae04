from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from clawmesh.config.location import locate, prepare
from clawmesh.errors import ConfigError, StorageError, UsageError


def test_what_the_caller_says_comes_first(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).touch()
    environ = {"CLAWMESH_CONFIG": str(tmp_path / "b.toml"), "CLAWMESH_DATA": str(tmp_path / "theirs")}
    places = locate(str(tmp_path / "a.toml"), str(tmp_path / "mine"), environ)
    assert (places.require(), places.data) == (tmp_path / "a.toml", tmp_path / "mine")
    places = locate(None, None, environ)
    assert (places.require(), places.data) == (tmp_path / "b.toml", tmp_path / "theirs")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file /.*/no\.toml, which --config names"):
        locate(str(tmp_path / "no.toml"), None, {})
    with pytest.raises(UsageError, match="which CLAWMESH_CONFIG names"):
        locate(None, None, {"CLAWMESH_CONFIG": str(tmp_path / "no.toml")})


def located(folder: Path, environ: dict[str, str]) -> str:
    """Return what a process with this folder and environment finds, for both come from the process itself."""
    program = (
        "import os\n"
        "from clawmesh.config.location import locate\n"
        "from clawmesh.errors import ClawmeshError\n"
        "try:\n"
        "    places = locate(None, None, os.environ)\n"
        "    print(places.data)\n"
        "    print(places.require())\n"
        "except ClawmeshError as error:\n"
        "    print(error)\n"
    )
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environ | path, capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout


def test_the_current_folder_comes_before_the_users(tmp_path: Path) -> None:
    users = tmp_path / "home" / ".config" / "clawmesh"
    users.mkdir(parents=True)
    (users / "clawmesh.toml").touch()
    environ = {"HOME": str(tmp_path / "home")}
    data = f"{tmp_path}/home/.local/share/clawmesh\n"
    assert located(tmp_path, environ) == f"{data}{users}/clawmesh.toml\n"
    (tmp_path / "clawmesh.toml").touch()
    assert located(tmp_path, environ) == f"{data}{tmp_path}/clawmesh.toml\n"


def test_without_a_configuration_the_places_are_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": f"{tmp_path}/c", "XDG_DATA_HOME": f"{tmp_path}/d"}
    assert located(tmp_path, environ) == (
        f"{tmp_path}/d/clawmesh\n"
        f"there is no configuration; looked for\n  {tmp_path}/clawmesh.toml\n  {tmp_path}/c/clawmesh/clawmesh.toml\n"
        "'clawmesh init' writes one, 'clawmesh demo' needs none\n"
    )


def test_nothing_found_is_an_error_only_when_it_is_needed(tmp_path: Path) -> None:
    environ = {"CLAWMESH_DATA": str(tmp_path)}
    places = locate(None, None, environ)
    if places.config is None:
        with pytest.raises(ConfigError, match="there is no configuration"):
            places.require()
    assert places.looked


def test_the_data_directory_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = prepare(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert prepare(folder) == folder


def test_a_data_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StorageError, match="may be written by other users: chmod 700 it"):
        prepare(tmp_path)


def test_a_data_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be made: Not a directory"):
        prepare(tmp_path / "file" / "data")
