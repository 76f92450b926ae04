"""Where updates of tasks are sent: kept in the data directory until a task has ended and been told of.

Source: A2A specification 1.0, sections 3.1.7 to 3.1.10 and 13.2. What a client gives to be known by is a secret: its
file is the user's alone, and nobody is told the credentials again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread
import msgspec
from msgspec import Struct

from clawmesh.a2a.fault import INVALID_PARAMS, A2aError
from clawmesh.a2a.values import Authentication, PushConfig
from clawmesh.config import private
from clawmesh.errors import BusyError, StorageError
from clawmesh.http.egress import EgressPolicy

FOLDER = Path("a2a", "push")
# Of one task; and tasks that have any.
CONFIGS, TASKS = 10, 10_000
TEXT = 4096
# What a header may hold without being folded, split or read as two (RFC 9110, 5.5).
SAFE = re.compile(r"[\x20-\x7e]*")
ID = re.compile(r"[A-Za-z0-9_.~-]{1,128}")


class Kept(Struct, frozen=True):
    """The configurations of one task of a session, which its `holder` calls `context`."""

    task: str
    session: str
    holder: str
    context: str
    configs: tuple[PushConfig, ...] = ()


class Webhooks:
    """The configurations of all tasks, one file a task. Every method raises StorageError where that cannot be used."""

    def __init__(self, data: Path, policy: EgressPolicy) -> None:
        self._folder = data / FOLDER
        self._policy = policy

    async def all(self) -> Sequence[Kept]:
        """Return what is kept of every task."""
        return await anyio.to_thread.run_sync(self._all)

    async def of(self, task: str) -> Kept | None:
        """Return what is kept of a task."""
        return await anyio.to_thread.run_sync(self._read, task)

    async def add(self, kept: Kept, config: PushConfig) -> None:
        """Keep one more configuration, or another one of the same id, for a task of which `kept` says whose it is.

        Raises:
            A2aError: there are too many, or it says what no header can hold.
            EgressError, URLError: notifications cannot be sent there.
            BusyError: too many tasks have any.
        """
        self.check(config)
        await anyio.to_thread.run_sync(self._add, kept, config)

    async def remove(self, task: str, id: str = "") -> None:
        """Forget one configuration, or all of a task; there may be none."""
        await anyio.to_thread.run_sync(self._remove, task, id)

    def check(self, config: PushConfig) -> None:
        """Raise as `add` does for a configuration that can never be used."""
        authentication = config.authentication or Authentication(scheme="")
        for field, text in (
            ("token", config.token),
            ("authentication.scheme", authentication.scheme),
            ("authentication.credentials", authentication.credentials),
        ):
            if len(text) > TEXT or not SAFE.fullmatch(text):
                raise A2aError(INVALID_PARAMS, f"{field} is nothing that a header can hold", field=field)
        if not ID.fullmatch(config.id):
            raise A2aError(INVALID_PARAMS, "an id has letters, digits, _ . ~ and -, at most 128 of them", field="id")
        if len(config.url) > TEXT:
            raise A2aError(INVALID_PARAMS, f"the URL has more than {TEXT} characters", field="url")
        self._policy.check(config.url)

    def _file(self, task: str) -> Path:
        return self._folder / f"{task}.json"

    def _read(self, task: str) -> Kept | None:
        content = private.read_private(self._file(task))
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=Kept)
        except msgspec.MsgspecError as error:
            raise StorageError(f"{self._file(task)}: is damaged: {error}") from error

    def _all(self) -> Sequence[Kept]:
        try:
            tasks = sorted(path.stem for path in self._folder.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StorageError(f"{self._folder}: cannot be read: {error.strerror}") from error
        return [kept for kept in map(self._read, tasks) if kept is not None]

    def _add(self, kept: Kept, config: PushConfig) -> None:
        with private.locked(self._folder / "all"):
            known = self._read(kept.task)
            if known is None and sum(path.suffix == ".json" for path in self._folder.iterdir()) >= TASKS:
                raise BusyError(f"{TASKS} tasks have push notifications already")
            others = [each for each in (known.configs if known else ()) if each.id != config.id]
            if len(others) >= CONFIGS:
                raise A2aError(INVALID_PARAMS, f"a task has {CONFIGS} push notification configurations at most")
            self._write(msgspec.structs.replace(kept, configs=(*others, config)))

    def _remove(self, task: str, id: str) -> None:
        with private.locked(self._folder / "all"):
            known = self._read(task)
            if known is None:
                return
            left = tuple(each for each in known.configs if id and each.id != id)
            if left:
                self._write(msgspec.structs.replace(known, configs=left))
            else:
                self._file(task).unlink(missing_ok=True)

    def _write(self, kept: Kept) -> None:
        private.replace(self._file(kept.task), msgspec.json.encode(kept))


def shown(config: PushConfig) -> PushConfig:
    """Return a configuration as it is told again: without its credentials."""
    known = config.authentication
    return msgspec.structs.replace(config, authentication=Authentication(scheme=known.scheme) if known else None)
