"""How `clawmesh agents --stats` looks: sessions, and what they take of memory and disk."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, convert, to_builtins

from clawmesh.agent.census import Count
from clawmesh.cli.archive import archived
from clawmesh.cli.console import Console
from clawmesh.cli.loop import run
from clawmesh.cli.phrase import count, size
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import holder, socket_of
from clawmesh.cluster.joint import open_joint
from clawmesh.config.location import locate
from clawmesh.errors import JointError
from clawmesh.journal.archive import SessionSize

HEAD = ("AGENT", "SESSIONS", "ACTIVE", "WARM", "HIBERNATED", "MEMORY", "EACH", "DISK", "EACH")


class Process(Struct, frozen=True):
    """What one worker says of itself: `agents` are those with sessions in memory, `rss` is in bytes."""

    worker: int
    pid: int
    rss: int
    agents: Mapping[str, Count]


class Tally(Struct):
    """One agent's sessions: how many are known, at work, warm; their bytes in memory, and of data on disk."""

    name: str
    sessions: int = 0
    active: int = 0
    warm: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0

    @property
    def hibernated(self) -> int:
        return max(0, self.sessions - self.warm)


def show(agents: Iterable[str], arguments: argparse.Namespace, console: Console) -> None:
    """Print the figures of these agents, and of those that the journal knows besides if none is asked for."""
    processes = run(lambda: _processes(arguments, console))
    with archived(arguments, console) as archive:
        kept = archive.sessions(arguments.agent or "")
        disk = archive.size
    tallies = _tallies(agents, kept, processes, other=arguments.agent is None)
    if console.as_json:
        rows = [{**to_builtins(tally), "hibernated": tally.hibernated} for tally in tallies]
        shown = [{"worker": each.worker, "pid": each.pid, "rss": each.rss} for each in processes]
        console.json({"running": bool(processes), "agents": rows, "processes": shown, "journal_bytes": disk})
        return
    total = [_sum(tallies)] if len(tallies) > 1 else []
    console.table([_row(tally, running=bool(processes)) for tally in [*tallies, *total]], head=HEAD)
    console.print()
    for each in processes:
        console.print(f"worker {each.worker} (process {each.pid}) holds {size(each.rss)} of memory")
    if not processes:
        console.print("not running: no session is in memory")
    console.print(f"the journal takes {size(disk)} on disk")


async def _processes(arguments: argparse.Namespace, console: Console) -> Sequence[Process]:
    """Ask every worker of the process that has the mesh, if there is one."""
    data = locate(arguments.config, arguments.data, console.environ).data
    found = holder(data)
    processes: list[Process] = []
    silent: list[str] = []
    for worker in range(found.workers if found else 0):
        try:
            async with open_joint(socket_of(data, worker), SystemClock(), lasting=False) as joint:
                processes.append(convert(await joint.query("statistics"), Process))
        except JointError as error:
            silent.append(f"worker {worker} says nothing: {error}")
    if processes:  # else it has ended without a word
        for line in silent:
            console.error(line)
    return processes


def _tallies(
    agents: Iterable[str], kept: Sequence[SessionSize], processes: Sequence[Process], *, other: bool
) -> Sequence[Tally]:
    tallies = {name: Tally(name) for name in agents}

    def of(name: str) -> Tally:
        return tallies.setdefault(name, Tally(name)) if other or name in tallies else Tally(name)

    for session in kept:
        tally = of(session.session.partition("/")[0])
        tally.sessions += 1
        tally.disk_bytes += session.journal_bytes + session.snapshot_bytes
    for process in processes:
        for name, found in process.agents.items():
            tally = of(name)
            tally.active += found.active
            tally.warm += found.warm
            tally.memory_bytes += found.bytes
    return list(tallies.values())


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        count(len(tallies), "agent"),
        *(sum(getattr(tally, name) for tally in tallies) for name in Tally.__struct_fields__[1:]),
    )


def _row(tally: Tally, *, running: bool) -> tuple[str, ...]:
    sessions, hibernated = f"{tally.sessions:,}", f"{tally.hibernated:,}"
    disk = size(tally.disk_bytes), _each(tally.disk_bytes, tally.sessions)
    if not running:
        return (tally.name, sessions, "-", "-", hibernated, "-", "-", *disk)
    memory = size(tally.memory_bytes), _each(tally.memory_bytes, tally.warm)
    return (tally.name, sessions, f"{tally.active:,}", f"{tally.warm:,}", hibernated, *memory, *disk)


def _each(amount: int, number: int) -> str:
    return size(amount / number) if number else "-"
