"""A real process that writes and is killed, at each failpoint and at random moments; nothing it confirmed is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import apsw
import pytest

from clawmesh.journal.archive import open_archive

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("checkpointer", "retention", "store", "writer")
FAILPOINTS = sorted(
    {
        name
        for source in SOURCES
        for name in re.findall(r'hit\("([\w.]+)"\)', (ROOT / "clawmesh" / "journal" / f"{source}.py").read_text())
    }
)
# Numbers its entries on from what is there, and prints each number once it is durable. What it writes is old at once.
PROGRAM = """
import sys, time
from pathlib import Path
import anyio
from clawmesh.abc.journal import Entry, Kind
from clawmesh.clock import SystemClock
from clawmesh.failpoint import planned
from clawmesh.journal import retention
from clawmesh.journal.journal import open_journal

class HastyClock(SystemClock):
    def monotonic(self):
        return 1000 * time.monotonic()
    def now(self):
        return 1_700_000_000 + self.monotonic()

async def main():
    path, plan, data = Path(sys.argv[1]), planned(sys.argv[2]), bytes(int(sys.argv[3]))
    async with open_journal(path, clock=HastyClock(), keep=10**9, failpoints=plan, warn=print) as journal:
        pending = await journal.reader.pending()
        number = max([int(story[0].envelope) for story in pending], default=-1) + 1
        while True:
            position = 0
            for number in range(number, number + 20):
                position = journal.append(Entry(Kind.ACCEPTED, f"{number:09}", 1.0, data, "bot/main"))
            await journal.durable(position)
            print(number, flush=True)
            number += 1
anyio.run(main)
"""


@contextmanager
def writing(path: Path, plan: str = "", size: int = 100) -> Iterator[Iterator[int]]:
    """Yield the numbers that a process says are durable; it is killed in the end if it is not dead by then."""
    command = [sys.executable, "-c", PROGRAM, str(path), plan, str(size)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield (int(line) for line in process.stdout if line.endswith("\n"))
    finally:
        process.kill()
        code = process.wait()
        process.stdout.close()
    assert code == -signal.SIGKILL


def require(path: Path, confirmed: int) -> None:
    """What was confirmed is there, and there is no gap before the last that is."""
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
    assert connection.pragma("integrity_check") == "ok"
    numbers = [int(name) for (name,) in connection.execute("SELECT envelope FROM entry ORDER BY seq")]
    connection.close()
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > confirmed


@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_kill_at_each_failpoint_loses_nothing_that_was_confirmed(tmp_path: Path, name: str) -> None:
    confirmed = -1
    for count in (1, 3):
        with writing(tmp_path / "0.db", f"{name}:{count}:kill", size=20_000) as numbers:
            for confirmed in numbers:  # noqa: B007 - to the end, which comes with the kill
                pass
        require(tmp_path / "0.db", confirmed)


def test_kills_at_random_moments_lose_nothing_that_was_confirmed(tmp_path: Path) -> None:
    random = Random(7)
    confirmed = -1
    for _ in range(8):
        with writing(tmp_path / "0.db") as numbers:
            for _ in range(random.randrange(1, 200)):
                confirmed = next(numbers)
        require(tmp_path / "0.db", confirmed)
    with open_archive(tmp_path) as archive:
        assert len(archive.session("bot/main", limit=5)) == 5
