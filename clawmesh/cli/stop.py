"""`clawmesh stop`: end the process that serves this data directory."""

from __future__ import annotations

import argparse
import os
import signal
from contextlib import suppress
from pathlib import Path

import anyio

from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import Holder, hold, holder, socket_of
from clawmesh.cluster.joint import open_joint
from clawmesh.config.location import locate
from clawmesh.errors import FailedError, HeldError, JointError

ANSWER_SECONDS = 5.0
# Longer than it takes to drain, and to be killed after that.
END_SECONDS = 40.0


def stop(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the process to end, and wait until it has."""
    data = locate(arguments.config, arguments.data, console.environ).data
    found = _server(data)

    async def main() -> None:
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                async with open_joint(socket_of(data, 0), SystemClock(), lasting=False) as joint:
                    await joint.query("stop")
        except (JointError, TimeoutError):
            _signal(found)

    run(main)
    try:
        with hold(data, "stop", wait=END_SECONDS):
            pass
    except HeldError as error:
        raise FailedError(f"{found} has not ended within {END_SECONDS:.0f} s") from error
    if console.as_json:
        console.json({"stopped": found.pid})
    else:
        console.print(f"{found} has ended")
    return 0


def _server(data: Path) -> Holder:
    try:
        with hold(data, "stop"):
            raise FailedError(f"nothing runs on the data directory {data}")
    except HeldError:
        found = holder(data)
    if found is None:
        raise FailedError(f"a process holds the data directory {data}, and does not say which; try again")
    if found.verb != "serve":
        raise FailedError(f"{found} holds the data directory {data}; it ends when its work is done")
    return found


def _signal(found: Holder) -> None:
    """End a process that does not answer; it may have gone meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
