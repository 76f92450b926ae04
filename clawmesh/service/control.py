"""Install, remove and look at the service, through what starts things on this machine."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from clawmesh.errors import FailedError, StorageError, UsageError
from clawmesh.service import launchd, systemd
from clawmesh.service.plan import Plan, environment

# systemctl waits until the mesh is ready, or until systemd gives up on that.
PATIENCE = systemd.START_SECONDS + 60.0
LINGER = Path("/var/lib/systemd/linger")


class State(Struct, frozen=True):
    """What is known of the service: `active` says that it runs, `text` how it is in the words of what starts it."""

    file: Path
    installed: bool
    active: bool
    text: str
    pid: int | None = None


class Control(Protocol):
    """What starts things on this machine; made by `control`."""

    file: Path

    def text(self, plan: Plan) -> str:
        """Return what would be written."""

    def install(self, plan: Plan) -> Sequence[str]:
        """Write it, start it, wait until it is ready where that can be known; return what there is to say besides.

        Raises:
            FailedError: nothing here starts it, or it does not start.
            UsageError: somebody else has written the file that is there.
            StorageError: the file cannot be written.
        """

    def uninstall(self) -> None:
        """Stop it and remove what was written; raises as `install` does."""

    def state(self) -> State:
        """Look at it; raises FailedError where nothing here could start it."""


class Systemd:
    """The manager of the system or of one user."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, system: bool) -> None:
        self.file = folder / systemd.UNIT
        self._environ = environ
        self._system = system
        self._scope = () if system else ("--user",)

    def text(self, plan: Plan) -> str:
        return systemd.unit(plan, environment(self._environ))

    def install(self, plan: Plan) -> Sequence[str]:
        self._require(plan)
        if self.file.exists() and not _content(self.file).startswith(systemd.MARK):
            raise UsageError(f"{self.file} is there, and not from 'clawmesh service install': move it away first")
        _write(self.file, self.text(plan))
        self._call("daemon-reload")
        self._call("enable", systemd.UNIT)
        self._call("restart", systemd.UNIT, hint=f"'{self._journal()}' tells why")
        return [
            f"what it says: {self._journal()}",
            f"keys that the configuration takes from the environment go into {plan.keys}: NAME=value lines, mode 0600",
            *self._lingering(),
        ]

    def uninstall(self) -> None:
        self._require(None)
        if not self.file.exists():
            raise FailedError(f"it is not installed: there is no {self.file}")
        if not _content(self.file).startswith(systemd.MARK):
            raise UsageError(f"{self.file} is not from 'clawmesh service install', which is why it stays")
        self._call("disable", "--now", systemd.UNIT)
        _remove(self.file)
        self._call("daemon-reload")

    def state(self) -> State:
        self._require(None)
        installed = self.file.exists()
        told = self._call("show", systemd.UNIT, "--property=ActiveState,SubState,MainPID,NRestarts")
        facts = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        active, pid = facts.get("ActiveState", "unknown"), int(facts.get("MainPID", "0") or 0)
        text = f"{active} ({facts.get('SubState', 'unknown')}), started again {facts.get('NRestarts', '0')} times"
        return State(self.file, installed, active == "active", text, pid or None)

    def _require(self, plan: Plan | None) -> None:
        """Refuse where no systemd runs that would hear us."""
        fault = "there is no systemctl"
        if shutil.which("systemctl", path=self._environ.get("PATH")) is not None:
            done = self._run("show-environment")
            if done.returncode == 0:
                return
            fault = " ".join(done.stderr.split()) or "it does not answer"
        whose = "systemd" if self._system else "systemd of this user"
        error = FailedError(f"no {whose} runs here ({fault}): nothing is changed")
        if plan is not None:
            error.add_note(f"let whatever starts things here run: {shlex.join(plan.words)}")
            error.add_note(
                "SIGTERM ends it in good order, within 30 s; exit code 2 says that the configuration is wrong"
            )
            error.add_note("'clawmesh service install --print' prints the unit, for another machine")
        raise error

    def _lingering(self) -> Sequence[str]:
        name = pwd.getpwuid(os.geteuid()).pw_name
        if self._system or (LINGER / name).exists():
            return ()
        return (f"it ends when you log out, unless: loginctl enable-linger {name}",)

    def _journal(self) -> str:
        return shlex.join(["journalctl", *self._scope, "--unit", systemd.UNIT])

    def _call(self, *words: str, hint: str = "") -> str:
        done = self._run(*words)
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
            raise FailedError(f"systemctl {shlex.join(words)}: {said}{f'; {hint}' if hint else ''}")
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(["systemctl", *self._scope, "--no-pager", *words], self._environ)


class Launchd:
    """The same on macOS."""

    def __init__(self, folder: Path, log: Path, environ: Mapping[str, str], *, system: bool) -> None:
        self.file = folder / launchd.FILE
        self._log = log
        self._environ = environ
        self._domain = "system" if system else f"gui/{os.geteuid()}"
        self._service = f"{self._domain}/{launchd.LABEL}"

    def text(self, plan: Plan) -> str:
        if plan.system and not plan.user:
            raise UsageError("say with --data which data directory: the service runs as the user that owns it")
        return launchd.agent(plan, environment(self._environ), self._log)

    def install(self, plan: Plan) -> Sequence[str]:
        text = self.text(plan)
        self._run("bootout", self._service)  # one that is there is replaced
        _write(self.file, text)
        self._call("bootstrap", self._domain, str(self.file))
        return [f"what it says: {self._log}"]

    def uninstall(self) -> None:
        if not self.file.exists():
            raise FailedError(f"it is not installed: there is no {self.file}")
        self._run("bootout", self._service)
        _remove(self.file)

    def state(self) -> State:
        done = self._run("print", self._service)
        facts = dict(line.strip().split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
        pid = facts.get("pid", "")
        text = facts.get("state", "not loaded")
        return State(self.file, self.file.exists(), text == "running", text, int(pid) if pid.isdigit() else None)

    def _call(self, *words: str) -> None:
        done = self._run(*words)
        if done.returncode != 0:
            raise FailedError(f"launchctl {shlex.join(words)}: {' '.join(done.stderr.split()) or done.returncode}")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(["launchctl", *words], self._environ)


def control(environ: Mapping[str, str], platform: str, *, system: bool) -> Control:
    """Return what starts things on a system of this kind (`sys.platform`)."""
    home = Path(environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir)
    if platform == "darwin":
        library = Path("/Library") if system else home / "Library"
        folder = library / ("LaunchDaemons" if system else "LaunchAgents")
        return Launchd(folder, library / "Logs" / "clawmesh.log", environ, system=system)
    if system:
        return Systemd(Path("/etc/systemd/system"), environ, system=True)
    return Systemd(Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user", environ, system=False)


def _run(words: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, env=dict(environ), capture_output=True, text=True, timeout=PATIENCE)
    except OSError as error:
        raise FailedError(f"{words[0]} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise FailedError(f"{shlex.join(words)} does not end within {PATIENCE:.0f} s") from error


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error


def _write(file: Path, text: str) -> None:
    """Write a file that others may read, whole or not at all."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                os.fchmod(descriptor, 0o644)
                stream.write(text)
                stream.flush()
                os.fsync(descriptor)
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    except PermissionError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}; run this as root") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror}") from error


def _remove(file: Path) -> None:
    try:
        file.unlink()
    except OSError as error:
        raise StorageError(f"{file} cannot be removed: {error.strerror}") from error
