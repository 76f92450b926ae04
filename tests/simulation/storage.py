"""The disk under a simulated mesh: it outlives the processes that work on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from random import Random

import apsw

from clawmesh.abc.journal import Entry
from clawmesh.journal import row
from clawmesh.testing.disk import Disk
from clawmesh.testing.journal import PATH

LOG = "SELECT envelope, kind, at, session, key, data FROM entry ORDER BY seq"
PENDING = "SELECT envelope FROM pending"


class Storage:
    """Holds the disk of the moment. `shaken` is called before the process that has it writes or syncs anything.

    `troubled` says that the disk has been full or failing since it was last healed.
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
        self.disk.full, self.disk.failing, self.troubled = False, 0, False

    def read(self) -> tuple[Sequence[Entry], list[str]]:
        """Return everything that is in the journal, and what is wrong with it at the end of all."""
        with self.disk.mounted() as vfs, closing(apsw.Connection(PATH, vfs=vfs)) as connection:
            connection.pragma("locking_mode", "EXCLUSIVE")
            faults = [f"{id} is still pending" for (id,) in connection.execute(PENDING)]
            if (found := connection.pragma("integrity_check")) != "ok":
                faults.append(f"the journal is damaged: {found}")
            return [row.entry(each) for each in connection.execute(LOG)], faults


def _nothing() -> None:
    return
