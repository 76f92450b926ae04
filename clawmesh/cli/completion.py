"""`clawmesh completion`: shell completion, made from the parser itself."""

from __future__ import annotations

import argparse

import shtab

from clawmesh.cli.console import Console
from clawmesh.cli.parser import build


def completion(arguments: argparse.Namespace, console: Console) -> int:
    """Print a completion script, to be evaluated by the shell."""
    console.print(shtab.complete(build(), shell=arguments.shell))
    return 0
