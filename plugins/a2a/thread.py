"""Conversations with agents elsewhere: under which context each of our sessions goes on over there.

Kept in the data directory, so that they go on after a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from pathlib import Path

import anyio.to_thread
import msgspec
from msgspec import Struct

from clawmesh.config import private
from clawmesh.errors import StorageError

FOLDER = Path("a2a", "contexts")
# In memory, and on disk: those used longest ago begin anew.
WARM, MOST = 10_000, 100_000


class Place(Struct, frozen=True):
    """Where a conversation is: its context, and the task that waits for more, if one does."""

    context: str = ""
    task: str = ""


class Threads:
    """The conversations of all sessions."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._warm: OrderedDict[str, Place] = OrderedDict()

    async def of(self, name: str) -> Place:
        """Return where a session's conversation is; raises StorageError where that cannot be read."""
        if name not in self._warm:
            self._remember(name, await anyio.to_thread.run_sync(self._read, name))
        self._warm.move_to_end(name)
        return self._warm[name]

    async def move(self, name: str, place: Place) -> None:
        """Note where a session's conversation is now; raises StorageError where that cannot be written."""
        if self._warm.get(name) != place:
            await anyio.to_thread.run_sync(self._write, name, place)
            self._remember(name, place)

    def _remember(self, name: str, place: Place) -> None:
        self._warm[name] = place
        if len(self._warm) > WARM:
            self._warm.popitem(last=False)

    def _file(self, name: str) -> Path:
        # Two levels, so that no folder has so many files that it gets slow.
        digest = sha256(name.encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest[2:]}.json"

    def _read(self, name: str) -> Place:
        content = private.read_private(self._file(name))
        try:
            return msgspec.json.decode(content, type=Place) if content else Place()
        except msgspec.MsgspecError as error:
            raise StorageError(f"{self._file(name)}: is damaged: {error}; remove it") from error

    def _write(self, name: str, place: Place) -> None:
        file = self._file(name)
        with private.locked(file.with_name("all")):
            if not file.exists():
                files = [each for each in file.parent.iterdir() if each.suffix == ".json"]
                # Each folder has its share, as the digests are spread evenly.
                if len(files) >= MOST // 256:
                    min(files, key=lambda each: each.stat().st_mtime).unlink()
            private.replace(file, msgspec.json.encode(place))
