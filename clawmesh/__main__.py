"""Start the command line: `clawmesh` and `python -m clawmesh`.

The order is what makes starting fast: the version needs nothing, and a process that multiprocessing started never
sees the command line.
"""

import sys

from clawmesh.version import VERSION


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.argv[1:] == ["--version"]:
        print(f"clawmesh {VERSION}")
        return 0
    if getattr(sys, "frozen", False):
        from clawmesh import frozen  # noqa: PLC0415 - here, because --version does without it

        frozen.prepare()
    from clawmesh.cli.main import main as command  # noqa: PLC0415 - here, because a worker process ends in prepare()

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
