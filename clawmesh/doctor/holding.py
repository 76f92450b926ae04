"""A look at who holds the data directory, and whether it answers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio

from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import LOCK, Holder, holder, socket_of
from clawmesh.cluster.joint import open_joint
from clawmesh.doctor.finding import Finding, fail, ok, warn
from clawmesh.errors import ClawmeshError, VersionError

ANSWER_SECONDS = 0.5
NAME = "process"


def held(data: Path) -> bool:
    """Say whether a process holds the directory."""
    try:
        lock = os.open(data / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, and for a moment: two who look do not see each other.
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


async def holding(data: Path) -> Sequence[Finding]:
    """Ask every process that has a part of the mesh how it fares."""
    if not held(data):
        return [ok(NAME, "no mesh runs on the data directory")]
    found = holder(data)
    if found is None:
        return [warn(NAME, "a process holds the data directory and does not say which", "look again in a moment")]
    findings: list[Finding] = []
    for worker in range(found.workers):
        findings += _judged(found, worker, await _asked(data, worker))
    return findings or [ok(NAME, f"{found} runs")]


async def _asked(data: Path, worker: int) -> dict[str, Any] | ClawmeshError | None:
    try:
        with anyio.move_on_after(ANSWER_SECONDS):
            async with open_joint(socket_of(data, worker), SystemClock(), lasting=False) as joint:
                answer: dict[str, Any] = await joint.query("status")
                return answer
    except ClawmeshError as error:
        return error
    return None


def _judged(found: Holder, worker: int, answer: dict[str, Any] | ClawmeshError | None) -> Iterator[Finding]:
    if isinstance(answer, VersionError):
        mend = "stop it and start this version, or use the executable that it was started with"
        yield warn(NAME, f"{found} is version {found.version}: {answer}", mend)
    elif not isinstance(answer, dict):
        why = f": {answer}" if answer else f" within {ANSWER_SECONDS:g} s"
        mend = f"wait if it has just started; else 'clawmesh stop', and after that kill {found.pid}"
        yield fail(NAME, f"worker {worker} of {found} does not answer{why}", mend)
    elif answer.get("trouble"):
        yield fail(NAME, f"worker {worker} of {found}: {answer['trouble']}", "it goes on by itself when that is mended")
    else:
        busy, warm, rss = answer["under_way"], answer["warm"], answer["rss"] // (1 << 20)
        yield ok(NAME, f"worker {worker} of {found} has {busy:,} messages under way, {warm:,} sessions, {rss:,} MB")
