from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from clawmesh.abc.journal import Kind, Woken
from clawmesh.errors import StorageError
from clawmesh.failpoint import Failpoints
from clawmesh.testing import ManualClock
from tests.journal.samples import DAY, NOW, accepted, ended, opened, snapshot, told

pytestmark = pytest.mark.anyio


async def test_what_is_durable_is_read(tmp_path: Path) -> None:
    async with opened(tmp_path / "j" / "0.db") as journal:
        first = [accepted("a"), told(Kind.STEP, "a", data=b"\0\xff"), told(Kind.INTENT, "a"), told(Kind.RESULT, "a")]
        second = [accepted("b", "bot/ö", key="k"), ended("b")]
        for entry in (*first, *second):
            position = journal.append(entry)
        assert position == 6
        await journal.durable(position)
        assert await journal.reader.pending() == [first]
        assert await journal.reader.story("env_b") == second
        assert await journal.reader.story("env_c") == []


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        journal.append(accepted("a"))
        journal.append(snapshot())
    async with opened(tmp_path / "0.db") as journal:
        assert await journal.reader.pending() == [[accepted("a")]]
        assert journal.append(ended("a")) == 3
        await journal.durable(3)
        assert await journal.reader.pending() == []


async def test_pending_come_in_the_order_of_arrival(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        for name in ("z", "m", "a"):
            journal.append(accepted(name))
        journal.append(told(Kind.STEP, "z"))
        await journal.durable(journal.append(ended("m")))
        stories = await journal.reader.pending()
    assert [[entry.envelope for entry in story] for story in stories] == [["env_z", "env_z"], ["env_a"]]


async def test_a_session_wakes_from_its_snapshot_and_what_ended_since(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        journal.append(accepted("old"))
        journal.append(ended("old"))
        journal.append(snapshot(data=b"first"))
        journal.append(snapshot(data=b"second"))
        for name in ("two", "one", "open"):
            journal.append(accepted(name))
        journal.append(accepted("other", "bot/other"))
        journal.append(ended("other"))
        journal.append(ended("one"))
        await journal.durable(journal.append(ended("two")))
        assert await journal.reader.wake("bot/main") == Woken(
            snapshot(data=b"second"), [[accepted("two"), ended("two")], [accepted("one"), ended("one")]]
        )
        new = await journal.reader.wake("bot/new")
        assert (new.snapshot, list(new.tail)) == (None, [])


async def test_a_key_is_known_for_seven_days_and_belongs_to_the_first(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    async with opened(tmp_path / "0.db", clock=clock) as journal:
        journal.append(accepted("a", key="k"))
        await journal.durable(journal.append(accepted("b", key="k", at=NOW + DAY)))
        assert await journal.reader.find("k") == "env_a"
        assert await journal.reader.find("other") == ""
        clock.advance(7 * DAY + 1)
        assert await journal.reader.find("k") == ""
        await journal.durable(journal.append(accepted("c", key="k", at=clock.now())))
        assert await journal.reader.find("k") == "env_c"


async def test_a_second_opener_is_refused_with_the_holders_number(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db"):
        with pytest.raises(StorageError, match=f"in use by process {os.getpid()}"):
            async with opened(tmp_path / "0.db"):
                pytest.fail("two have it open")


async def test_nobody_else_may_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path / "journal" / "0.db") as journal:
            await journal.durable(journal.append(accepted("a")))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "journal").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("0.db", "0.db-wal", "0.db-shm", "0.db.lock"), 0o600)
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700


async def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        pass
    with pytest.raises(StorageError, match="the journal is closed"):
        journal.append(accepted("a"))
    assert sorted(os.listdir(tmp_path)) == ["0.db", "0.db.lock"]


async def test_nobody_waits_for_a_position_that_was_not_given(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        with pytest.raises(StorageError, match="nothing was given position 1"):
            await journal.durable(1)


async def test_an_error_of_the_caller_leaves_a_journal_in_good_order(tmp_path: Path) -> None:
    with suppress(LookupError):
        async with opened(tmp_path / "0.db") as journal:
            journal.append(accepted("a"))
            raise LookupError
    assert b"written" not in (tmp_path / "0.db.lock").read_bytes()
    async with opened(tmp_path / "0.db") as journal:
        assert len(await journal.reader.pending()) == 1


async def test_one_that_breaks_is_marked_and_leaves_no_thread_behind(tmp_path: Path) -> None:
    def damage(_name: str) -> None:
        raise apsw.CorruptError("malformed")

    heard: list[str] = []
    failpoints = Failpoints({"journal.commit": 2}, damage)
    refused = ""
    try:
        async with opened(tmp_path / "0.db", failpoints=failpoints, heard=heard) as journal:
            await journal.durable(journal.append(accepted("a")))
            journal.append(ended("a"))
    except StorageError as error:
        refused = str(error)
    assert "(entries: 1) could not be written" in refused
    assert "is damaged (malformed)" in refused
    assert len(heard) == 1
    assert b"written" in (tmp_path / "0.db.lock").read_bytes()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("clawmesh journal")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
    async with opened(tmp_path / "0.db") as journal:
        assert await journal.reader.pending() == [[accepted("a")]]


def killed(path: Path, *, entries: int = 300) -> None:
    """Let a process write to the journal and die without closing it."""
    program = (
        "import sys, os, signal, anyio\n"
        "from pathlib import Path\n"
        "from tests.journal.samples import accepted, opened\n"
        "async def main():\n"
        "    async with opened(Path(sys.argv[1])) as journal:\n"
        "        for number in range(int(sys.argv[2])):\n"
        "            position = journal.append(accepted(str(number)))\n"
        "        await journal.durable(position)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "anyio.run(main)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program, str(path), str(entries)], cwd=root)
    assert done.returncode == -9


async def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    killed(tmp_path / "0.db")
    assert b"written" in (tmp_path / "0.db.lock").read_bytes()
    async with opened(tmp_path / "0.db") as journal:
        assert len(await journal.reader.pending()) == 300


async def test_a_log_that_somebody_removed_is_missed(tmp_path: Path) -> None:
    killed(tmp_path / "0.db")
    (tmp_path / "0.db-wal").unlink()
    with pytest.raises(StorageError, match=r"its log 0.db-wal is gone.*remove 0.db.lock to go on without"):
        async with opened(tmp_path / "0.db"):
            pytest.fail("it was opened")
    (tmp_path / "0.db.lock").unlink()
    async with opened(tmp_path / "0.db") as journal:
        assert await journal.reader.pending() == []


async def filled(path: Path) -> None:
    async with opened(path) as journal:
        for number in range(2000):
            journal.append(accepted(str(number)))


@pytest.mark.parametrize("gone", [False, True])
async def test_a_file_that_somebody_emptied_is_not_taken_for_a_new_one(tmp_path: Path, gone: bool) -> None:
    path = tmp_path / "0.db"
    async with opened(path) as journal:
        await journal.durable(journal.append(accepted("a")))
    kept = path.read_bytes()
    path.unlink() if gone else os.truncate(path, 0)
    said = rf"0\.db is {'gone' if gone else 'empty'}, .* put it back, or remove 0\.db\.lock to begin anew"
    for _ in range(2):
        with pytest.raises(StorageError, match=said):
            async with opened(path):
                pass
    path.write_bytes(kept)
    async with opened(path) as journal:
        assert await journal.reader.pending() == [[accepted("a")]]


@pytest.mark.parametrize("damage", ["zeros", "truncated"])
async def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "0.db"
    await filled(path)
    killed(path)
    content = bytearray(path.read_bytes())
    if damage == "zeros":
        content[20 * 4096 : 30 * 4096] = bytes(10 * 4096)
    else:
        del content[30 * 4096 :]
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"0.db is damaged .*: restore a backup, or move it away to begin anew"):
        async with opened(path):
            pytest.fail("it was opened")
    assert path.read_bytes() == content


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "0.db"
    await filled(path)
    content = b"x" * 4096 + path.read_bytes()[4096:]
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"0.db is damaged \(file is not a database\)"):
        async with opened(path):
            pytest.fail("it was opened")
    assert path.read_bytes() == content


async def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db"):
        pass
    connection = apsw.Connection(str(tmp_path / "0.db"))
    connection.pragma("user_version", 9)
    connection.close()
    with pytest.raises(StorageError, match=r"a newer version of ClawMesh made the journal .* version is 9"):
        async with opened(tmp_path / "0.db"):
            pytest.fail("it was opened")


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "0.db"))
    connection.execute("CREATE TABLE theirs(x)")
    connection.close()
    with pytest.raises(StorageError, match="is no journal of ClawMesh"):
        async with opened(tmp_path / "0.db"):
            pytest.fail("it was opened")


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        async with opened(tmp_path / "file" / "0.db"):
            pytest.fail("it was opened")
