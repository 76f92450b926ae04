"""Start the command line: `clawmesh` and `python -m clawmesh`.

The order is what makes starting fast: the version needs nothing, and a process that multiprocessing started never
sees the command line.
"""

import os
import sys

from clawmesh.version import VERSION

INTERRUPTED = 130


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.argv[1:] == ["--version"]:
        print(f"clawmesh {VERSION}")
        return 0
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED


def run() -> int:
    """Load the program and run it.

    Raises KeyboardInterrupt if Ctrl-C came before the command could take it.
    """
    import signal  # noqa: PLC0415 - here, not above: --version does without it

    # The launcher has blocked the first: nobody who is quick with Ctrl-C shall see the traceback of a half-made
    # interpreter. Whoever starts this while signals wait, as the bench does, has blocked them all.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    reopen()
    if getattr(sys, "frozen", False):
        from clawmesh import frozen  # noqa: PLC0415 - here, not above: --version does without it

        frozen.prepare()
    from clawmesh.cli.main import main as command  # noqa: PLC0415 - a worker process ends in prepare()

    return command(sys.argv[1:])


def reopen() -> None:
    """Give every standard stream that is closed a file, or the next socket would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for the whole run


if __name__ == "__main__":
    sys.exit(main())
