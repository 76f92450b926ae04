"""Secrets by reference: the configuration says where a secret is, never what it is."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from clawmesh.config.fault import Faults, describe, kind_of
from clawmesh.config.scope import Scope
from clawmesh.config.suggestion import did_you_mean, nearest
from clawmesh.secret import Secret

EXPECTED = 'a reference to a secret: { env = "NAME" }, { file = "path" } or { keyring = "service/user" }'
KINDS = ("env", "file", "keyring")
FILE_BYTES = 64 * 1024
KEYRING_SECONDS = 30.0


def resolve(value: Any, scope: Scope) -> Secret | Faults:
    """Return the secret that a reference names.

    Anything else in its place is refused and not repeated: it may be the secret itself.
    """
    if not isinstance(value, dict):
        return Faults.of(f"found {kind_of(value)} (not shown), expected {EXPECTED}")
    if len(value) != 1:
        return Faults.of(f"found a table of {len(value)} keys, expected {EXPECTED}")
    [(kind, name)] = value.items()
    if kind not in KINDS:
        return Faults.of(f'unknown way to a secret "{kind}"{did_you_mean(kind, KINDS)}')
    if not isinstance(name, str) or not name:
        return Faults.of(f"found {describe(name)}, expected {EXPECTED}", kind)
    return _WAYS[kind](name, scope)


def _from_environment(name: str, scope: Scope) -> Secret | Faults:
    value = scope.environ.get(name)
    if value is None:
        near = nearest(name, scope.environ)
        hint = f"; did you mean {near}, which is set?" if near else ""
        return Faults.of(f"the environment variable {name} is not set{hint}")
    return _clean(value, f"env {name}", f"the environment variable {name}")


def _from_file(name: str, scope: Scope) -> Secret | Faults:
    path = scope.path(name)
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        return Faults.of(f"the secret's file {path} cannot be read: {error.strerror}")
    if mode & 0o022:
        return Faults.of(f"the secret's file {path} may be written by other users: chmod 600 it, and check the secret")
    if len(data) > FILE_BYTES:
        return Faults.of(f"the secret's file {path} is larger than {FILE_BYTES // 1024} KiB")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Faults.of(f"the secret's file {path} is not UTF-8")
    if mode & 0o044 and not _is_mounted(path):
        scope.warnings.append(f"the secret's file {path} may be read by other users: chmod 600 it")
    return _clean(text, f"file {path}", f"the secret's file {path}")


def _is_mounted(path: Path) -> bool:
    """Tell whether a container runtime put the file there: those mount secrets readable, for one container alone."""
    return path.is_relative_to("/run/secrets") or path.is_relative_to("/var/run/secrets")


def _from_keyring(name: str, scope: Scope) -> Secret | Faults:
    service, slash, user = name.partition("/")
    if not slash or not service or not user:
        return Faults.of(f'found {describe(name)}, expected "service/user"', "keyring")
    try:
        keyring = import_module("keyring")
        errors = import_module("keyring.errors")
    except ImportError:
        return Faults.of(
            "the keyring cannot be asked: the Python package keyring is not installed here; "
            'use { env = "NAME" } or { file = "path" }'
        )
    answer = _ask(keyring, service, user)
    if isinstance(answer, errors.NoKeyringError):
        return Faults.of('this machine runs no keyring; use { env = "NAME" } or { file = "path" }')
    if isinstance(answer, Exception):
        return Faults.of(f"the keyring refused: {answer}")
    if answer is None:
        return Faults.of(f'the keyring holds nothing for service "{service}", user "{user}"')
    return _clean(answer, f"keyring {name}", f'the keyring\'s entry "{name}"')


def _ask(keyring: Any, service: str, user: str) -> str | Exception | None:
    """Ask the keyring, which may wait for a person to unlock it, and stop waiting after `KEYRING_SECONDS`."""
    answers: SimpleQueue[str | Exception | None] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(keyring.get_password(service, user))
        except Exception as error:  # noqa: BLE001 - each keyring raises errors of its own; they are reported above
            answers.put(error)

    Thread(target=ask, name="keyring", daemon=True).start()
    try:
        return answers.get(timeout=KEYRING_SECONDS)
    except Empty:
        return TimeoutError(f"no answer in {KEYRING_SECONDS:.0f} s; is it locked?")


def _clean(text: str, source: str, what: str) -> Secret | Faults:
    text = text.strip()
    if not text:
        return Faults.of(f"{what} is empty")
    if not text.isprintable():
        return Faults.of(f"{what} holds more than one line or characters that no key has")
    return Secret(text, source)


_WAYS: Mapping[str, Callable[[str, Scope], Secret | Faults]] = {
    "env": _from_environment,
    "file": _from_file,
    "keyring": _from_keyring,
}
