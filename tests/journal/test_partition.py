from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from zlib import crc32

import apsw
import pytest

from clawmesh.abc.journal import Kind
from clawmesh.errors import StorageError
from clawmesh.journal.archive import open_archive
from clawmesh.journal.partition import move_sessions
from clawmesh.testing import ManualClock
from tests.journal.samples import NOW, accepted, ended, opened, snapshot, told

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
SESSIONS = [f"bot/{number}" for number in range(40)]


def home(workers: int, session: str) -> int:
    return crc32(session.encode()) % workers


async def fill(folder: Path) -> None:
    """Write to one journal, of every session: what a snapshot holds, a tail, a dead letter, what is pending."""
    async with opened(folder / "0.db") as journal:
        for session in SESSIONS:
            journal.append(accepted(f"{session} old", session))
            journal.append(ended(f"{session} old"))
            journal.append(snapshot(session, session.encode()))
        for session in SESSIONS:
            journal.append(accepted(f"{session} dead", session, key=session))
            journal.append(told(Kind.DEAD, f"{session} dead"))
            journal.append(ended(f"{session} dead"))
        for session in reversed(SESSIONS):
            journal.append(accepted(f"{session} first", session))
            journal.append(accepted(f"{session} second", session))
            journal.append(told(Kind.STEP, f"{session} first"))


async def require_all(folder: Path, workers: int) -> None:
    """Every session is at home, whole, in its order, and nowhere else."""
    for number in range(workers):
        own = [session for session in SESSIONS if home(workers, session) == number]
        async with opened(folder / f"{number}.db", clock=ManualClock(NOW)) as journal:
            pending = [story[0].envelope for story in await journal.reader.pending()]
            for session in SESSIONS:
                woken = await journal.reader.wake(session)
                found = [story[0].envelope for story in woken.tail]
                assert (found == [f"env_{session} dead"]) == (session in own)
                assert (woken.snapshot is not None) == (session in own)
                assert (await journal.reader.find(session) != "") == (session in own)
                both = [f"env_{session} first", f"env_{session} second"]
                assert [envelope for envelope in pending if f"{session} " in envelope] == (
                    both if session in own else []
                )
                assert len(await journal.reader.story(both[0])) == (2 if session in own else 0)
    with open_archive(folder) as archive:
        assert sorted(letter.session for letter in archive.dead()) == sorted(SESSIONS)


async def test_sessions_follow_the_number_of_workers(tmp_path: Path) -> None:
    await fill(tmp_path)
    for workers in (2, 3, 1, 4, 1):
        assert move_sessions(tmp_path, workers, partial(home, workers)) > 0
        await require_all(tmp_path, workers)
        files = {name for name in os.listdir(tmp_path) if name.endswith(".db")}
        assert files == {f"{number}.db" for number in range(workers)}


async def test_nothing_is_touched_where_all_are_at_home(tmp_path: Path) -> None:
    await fill(tmp_path)
    assert move_sessions(tmp_path, 1, lambda _: 0) == 0
    (tmp_path / "0.db").rename(tmp_path / "away")
    assert move_sessions(tmp_path, 1, lambda _: 0) == 0
    assert not (tmp_path / "0.db").exists()


async def test_a_journal_in_use_is_left_alone(tmp_path: Path) -> None:
    await fill(tmp_path)
    async with opened(tmp_path / "0.db"):
        with pytest.raises(StorageError, match=f"in use by process {os.getpid()}"):
            move_sessions(tmp_path, 2, partial(home, 2))


async def test_what_came_in_after_a_move_moves_too(tmp_path: Path) -> None:
    await fill(tmp_path)
    move_sessions(tmp_path, 2, partial(home, 2))
    session = next(session for session in SESSIONS if home(2, session) == 1)
    async with opened(tmp_path / "1.db") as journal:
        journal.append(accepted("late", session, at=NOW + 1))
        await journal.durable(journal.append(ended("late", at=NOW + 1)))
    move_sessions(tmp_path, 1, lambda _: 0)
    async with opened(tmp_path / "0.db") as journal:
        tail = (await journal.reader.wake(session)).tail
    assert [story[0].envelope for story in tail] == [f"env_{session} dead", "env_late"]


def died(folder: Path, plan: str) -> bool:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from clawmesh.failpoint import planned\n"
        "from clawmesh.journal.partition import move_sessions\n"
        "from tests.journal.test_partition import home\n"
        "move_sessions(Path(sys.argv[1]), 3, lambda session: home(3, session), planned(sys.argv[2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder), plan], cwd=ROOT)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


@pytest.mark.parametrize("moment", ["journal.move", "journal.moving", "journal.moved"])
async def test_a_move_may_die_at_any_moment(tmp_path: Path, moment: str) -> None:
    await fill(tmp_path)
    assert died(tmp_path, f"{moment}:1:kill")
    assert died(tmp_path, f"{moment}:2:kill")
    assert died(tmp_path, f"{moment}:2:kill")
    assert not died(tmp_path, "")
    await require_all(tmp_path, 3)
    assert apsw.Connection(str(tmp_path / "1.db")).pragma("integrity_check") == "ok"
