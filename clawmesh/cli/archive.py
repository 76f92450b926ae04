"""The journal of a data directory, for the commands that read it: no configuration is needed, and no process."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager

from clawmesh.cli.console import Console
from clawmesh.config.location import locate
from clawmesh.journal.archive import Archive, open_archive

JOURNAL = "journal"


def archived(arguments: argparse.Namespace, console: Console) -> AbstractContextManager[Archive]:
    """Open the journal of the data directory that the arguments or the environment name."""
    return open_archive(locate(arguments.config, arguments.data, console.environ).data / JOURNAL)
