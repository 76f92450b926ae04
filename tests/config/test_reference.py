from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked

from clawmesh.config.fault import Faults
from clawmesh.config.reference import FILE_BYTES, resolve
from clawmesh.config.scope import Scope
from clawmesh.secret import Secret


def revealed(value: Any, scope: Scope) -> str:
    secret = resolve(value, scope)
    assert isinstance(secret, Secret), secret
    return secret.reveal()


def said(value: Any, scope: Scope) -> str:
    faults = resolve(value, scope)
    assert isinstance(faults, Faults)
    return faults[0].message


def secret_file(path: Path, content: bytes, mode: int) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_an_environment_variable_is_stripped() -> None:
    assert revealed({"env": "KEY"}, Scope("", {"KEY": " k\n"})) == "k"


def test_a_file_is_stripped_and_found_beside_the_configuration(tmp_path: Path) -> None:
    secret_file(tmp_path / "key", b"\n k \n", 0o600)
    scope = Scope(tmp_path, {})
    assert revealed({"file": "key"}, scope) == "k"
    assert scope.warnings == []


def test_the_source_is_shown_and_the_secret_is_not(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "key", b"hunter2", 0o600)
    assert repr(resolve({"file": "key"}, Scope(tmp_path, {}))) == f"Secret(file {file})"


def test_a_file_that_others_may_read_is_taken_with_a_warning(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "key", b"k", 0o640)
    scope = Scope(tmp_path, {})
    assert revealed({"file": "key"}, scope) == "k"
    assert scope.warnings == [f"the secret's file {file} may be read by other users: chmod 600 it"]


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (b"k", 0o620, "may be written by other users: chmod 600 it, and check the secret"),
        (b" \n", 0o600, "is empty"),
        (b"\xff", 0o600, "is not UTF-8"),
        (b"a\nb", 0o600, "holds more than one line or characters that no key has"),
        (b"k" * (FILE_BYTES + 1), 0o600, "is larger than 64 KiB"),
    ],
)
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, content: bytes, mode: int, expected: str) -> None:
    file = secret_file(tmp_path / "key", content, mode)
    assert said({"file": "key"}, Scope(tmp_path, {})) == f"the secret's file {file} {expected}"


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    expected = f"the secret's file {tmp_path} cannot be read: Is a directory"
    assert said({"file": str(tmp_path)}, Scope(tmp_path, {})) == expected


class Ring(KeyringBackend):
    """Holds one entry; the user `locked` has it locked."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        if username == "locked":
            raise KeyringLocked("the collection is locked")
        return " k " if (service, username) == ("openai", "me") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
def test_a_keyring_is_asked() -> None:
    assert revealed({"keyring": "openai/me"}, Scope("", {})) == "k"
    assert (
        said({"keyring": "openai/you"}, Scope("", {})) == 'the keyring holds nothing for service "openai", user "you"'
    )
    assert said({"keyring": "openai/locked"}, Scope("", {})) == "the keyring refused: the collection is locked"


@pytest.mark.usefixtures("ring")
def test_a_machine_without_a_keyring_says_so() -> None:
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    expected = 'this machine runs no keyring; use { env = "NAME" } or { file = "path" }'
    assert said({"keyring": "openai/me"}, Scope("", {})) == expected


def test_an_installation_without_keyring_says_so() -> None:
    program = (
        "import sys; sys.modules['keyring'] = None\n"
        "from clawmesh.config.reference import resolve\n"
        "from clawmesh.config.scope import Scope\n"
        "print(resolve({'keyring': 'a/b'}, Scope('', {}))[0].message)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("the keyring cannot be asked: the Python package keyring is not installed here")
