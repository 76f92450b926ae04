"""The disk under a simulated mesh: it outlives the processes that work on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from random import Random

import apsw

from clawmesh.abc.journal import Entry
from clawmesh.testing.disk import Disk
from clawmesh.testing.journal import PATH
from tests.recovery.log import read_log


class Storage:
    """Holds the disk of the moment. `shaken` is called before the process that has it writes or syncs anything.

    `troubled` says that the disk has been full or failing, and no process has begun since it was healed.
    """

    def __init__(self, random: Random, shaken: Callable[[], None]) -> None:
        self.disk = Disk(random)
        self._shaken = shaken
        self.disk.touched = shaken
        self.troubled = False

    def part(self, *, power: bool) -> None:
        """Take the disk from its process at this moment, with all that was written, or after a loss of power."""
        old, self.disk = self.disk, self.disk.after_power_loss() if power else self.disk.after_kill()
        self.disk.touched = self._shaken
        # What the dead process still does is done to a disk that nobody will see again, and quickly.
        old.touched, old.full, old.failing = _nothing, False, 0

    def fill(self) -> None:
        self.disk.full = self.troubled = True

    def fail(self, syncs: int) -> None:
        """Let so many syncs fail."""
        self.disk.failing, self.troubled = syncs, True

    def heal(self) -> None:
        self.disk.full, self.disk.failing = False, 0

    def forget(self) -> None:
        """Hear that a process begins, for which old trouble is no excuse."""
        self.troubled = self.disk.full or self.disk.failing > 0

    def read(self) -> tuple[Sequence[Entry], list[str]]:
        """Return everything that is in the journal, and what is wrong with it when all work is done."""
        with self.disk.mounted() as vfs, closing(apsw.Connection(PATH, vfs=vfs)) as connection:
            connection.pragma("locking_mode", "EXCLUSIVE")
            return read_log(connection)


def _nothing() -> None:
    return
