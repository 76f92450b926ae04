"""Run one command and end with its exit code."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module

from clawmesh.cli.console import Console, fault
from clawmesh.cli.parser import build
from clawmesh.errors import ClawmeshError, UsageError

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name).

    Returns 0 ok, 1 the work failed, 2 usage or configuration, 3 refused by policy or limit, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    _speak_utf8()
    parser = build()
    try:
        arguments = parser.parse_args(words)
    except UsageError as error:
        # Nothing else is known of a command line that cannot be read.
        return _fail(_console(as_json="--json" in words, debug="--debug" in words), error)
    if arguments.verb is None:
        parser.print_help()
        return 0
    return execute(arguments, _console(as_json=arguments.json, debug=arguments.debug))


def execute(arguments: argparse.Namespace, console: Console) -> int:
    """Call the function that `arguments.run` names; say how it failed and return the exit code."""
    # A supervisor's SIGTERM or the end of the terminal ends a command as Ctrl-C does: all is closed on the way out.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup
            signal.signal(number, signal.default_int_handler)
    try:
        module, function = arguments.run.split(":")
        # What a plugin prints is no result of ours, and must not end up within one.
        with redirect_stdout(sys.stderr):
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
    _tell(console, error)
    console.report(error)
    return error.exit_code


def _break(console: Console, error: Exception) -> int:
    _tell(console, error)
    console.error(f"this is a fault of ClawMesh itself: {type(error).__name__}: {error} (--debug shows where)")
    return 1


def _tell(console: Console, error: Exception) -> None:
    if console.as_json:
        console.json({"error": fault(error)})
    if console.debug:
        # Here, not above: nobody else needs it.
        import traceback  # noqa: PLC0415

        console.note("".join(traceback.format_exception(error)).rstrip())


def _console(*, as_json: bool, debug: bool) -> Console:
    return Console(sys.stdout, sys.stderr, os.environ, as_json=as_json, debug=debug)


def _speak_utf8() -> None:
    # Whatever the locale: models say anything, even lone surrogates, and what is read must be sound.
    for stream, errors in ((sys.stdin, "strict"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)
