"""The journal of a data directory, for the commands that read it: no configuration is needed, and no process."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager

from clawmesh.cli.console import Console
from clawmesh.cluster.hold import hold
from clawmesh.cluster.replacement import unfinished
from clawmesh.config.location import JOURNAL, locate
from clawmesh.errors import UsageError
from clawmesh.journal.archive import Archive, open_archive


def archived(arguments: argparse.Namespace, console: Console) -> AbstractContextManager[Archive]:
    """Open the journal of the data directory that the arguments or the environment name.

    Raises:
        UsageError: the arguments name a directory that is not there.
        HeldError: another process is restoring into it.
    """
    data = locate(arguments.config, arguments.data, console.environ).data
    # Elsewhere a directory that nothing was kept in yet is as good as an empty one.
    if arguments.data and not data.exists():
        raise UsageError(f"there is no directory {data}, which --data names")
    if unfinished(data):
        with hold(data, arguments.verb):  # and whoever holds it finishes that
            pass
    return open_archive(data / JOURNAL)
