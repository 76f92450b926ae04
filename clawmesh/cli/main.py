"""Run one command and end with its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from clawmesh.cli.console import Console, fault
from clawmesh.cli.parser import build
from clawmesh.errors import ClawmeshError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name).

    Returns 0 ok, 1 the work failed, 2 usage or configuration, 3 refused by policy or limit, 130 interrupted.
    """
    parser = build()
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    if arguments.verb is None:
        parser.print_help()
        return 0
    console = Console(sys.stdout, sys.stderr, os.environ, as_json=arguments.json, debug=arguments.debug)
    # A supervisor's SIGTERM ends a command as Ctrl-C does: everything open is closed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        module, function = arguments.run.split(":")
        code: int = getattr(import_module(module), function)(arguments, console)
        console.flush()
    except ClawmeshError as error:
        code = _fail(console, error)
    except KeyboardInterrupt:
        console.note("")
        code = 1 if console.abandoned else INTERRUPTED
    except Exception as error:  # noqa: BLE001 - nobody wants our traceback who did not ask for it
        code = _break(console, error)
    return code


def _fail(console: Console, error: ClawmeshError) -> int:
    if console.debug:
        sys.excepthook(type(error), error, error.__traceback__)
    elif console.as_json:
        console.json({"error": fault(error)})
    console.report(error)
    return error.exit_code


def _break(console: Console, error: Exception) -> int:
    if console.debug:
        sys.excepthook(type(error), error, error.__traceback__)
    console.error(f"this is a fault of ClawMesh itself: {type(error).__name__}: {error} (--debug shows where)")
    return 1
