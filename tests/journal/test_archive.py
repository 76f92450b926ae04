from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.errors import StorageError
from clawmesh.journal.archive import DeadLetter, SessionSize, open_archive
from tests.journal.samples import NOW, accepted, ended, opened, snapshot, told

pytestmark = pytest.mark.anyio
ROOT = "abcdefghi"


async def write(path: Path, items: Sequence[Entry | Snapshot]) -> None:
    async with opened(path) as journal:
        for item in items:
            journal.append(item)


async def test_a_story_is_found_in_any_file(tmp_path: Path) -> None:
    await write(tmp_path / "0.db", [accepted("a"), ended("a")])
    await write(tmp_path / "1.db", [accepted("b")])
    with open_archive(tmp_path) as archive:
        assert archive.story("env_a") == [accepted("a"), ended("a")]
        assert archive.story("env_b") == [accepted("b")]
        assert archive.story("env_c") == []
        assert archive.size > 2 * 4096


async def test_kin_share_the_time_of_their_root(tmp_path: Path) -> None:
    await write(tmp_path / "0.db", [accepted(f"{ROOT}root", at=NOW), accepted("zzzzzzzzzother")])
    await write(tmp_path / "1.db", [accepted(f"{ROOT}late", at=NOW + 2), accepted(f"{ROOT}soon", at=NOW + 1)])
    with open_archive(tmp_path) as archive:
        kin = archive.kin(f"env_{ROOT}late")
        assert [story[0].envelope for story in kin] == [f"env_{ROOT}{name}" for name in ("root", "soon", "late")]
        assert len(archive.kin(f"env_{ROOT}root", limit=2)) == 2


async def test_beginnings_and_neighbours_of_an_id(tmp_path: Path) -> None:
    await write(tmp_path / "0.db", [accepted("aa"), told(Kind.STEP, "aa"), accepted("ab")])
    await write(tmp_path / "1.db", [accepted("ac"), accepted("b")])
    with open_archive(tmp_path) as archive:
        assert archive.find_prefix("env_a") == ["env_aa", "env_ab", "env_ac"]
        assert archive.find_prefix("env_a", limit=2) == ["env_aa", "env_ab"]
        assert archive.find_prefix("env_c") == []
        assert archive.near("env_ab_") == ["env_ab", "env_ac"]
        assert archive.near("a") == ["env_aa"]
        assert archive.near("x") == ["env_b"]


async def test_the_newest_stories_of_a_session(tmp_path: Path) -> None:
    items = [accepted(str(number), at=NOW + number) for number in range(5)]
    await write(tmp_path / "0.db", [*items, accepted("other", "bot/other")])
    with open_archive(tmp_path) as archive:
        assert archive.session("bot/main", limit=2) == [[items[3]], [items[4]]]
        assert len(archive.session("bot/main")) == 5
        assert archive.session("bot/mai") == []


async def test_what_sessions_take(tmp_path: Path) -> None:
    step = told(Kind.STEP, "a", data=bytes(100), at=NOW + 5)
    await write(tmp_path / "0.db", [accepted("a", "bot/a"), step, snapshot("bot/a", bytes(30))])
    await write(tmp_path / "1.db", [accepted("b", "botany/b"), snapshot("bot/quiet", bytes(7), at=NOW + 9)])
    with open_archive(tmp_path) as archive:
        assert archive.sessions() == [
            SessionSize("bot/a", 2, len("accepted a") + 100, 30, NOW + 5),
            SessionSize("bot/quiet", 0, 0, 7, NOW + 9),
            SessionSize("botany/b", 1, len("accepted b"), 0, NOW),
        ]
        assert [size.session for size in archive.sessions("bot")] == ["bot/a", "bot/quiet"]


async def test_dead_letters_oldest_first(tmp_path: Path) -> None:
    def died(name: str, session: str, at: float, reason: bytes) -> list[Entry]:
        return [accepted(name, session), told(Kind.DEAD, name, data=reason, at=at), ended(name)]

    revived = [*died("r", "bot/r", NOW, b"late"), told(Kind.REVIVED, "r", data=b"env_x")]
    discarded = [*died("d", "bot/d", NOW, b"late"), told(Kind.DISCARDED, "d")]
    await write(tmp_path / "0.db", [*died("new", "bot/a", NOW + 2, "zu spät".encode()), *revived])
    await write(tmp_path / "1.db", [*died("old", "cat/a", NOW + 1, b"\xff"), *discarded])
    with open_archive(tmp_path) as archive:
        old, new = DeadLetter("env_old", "cat/a", NOW + 1, "\ufffd"), DeadLetter("env_new", "bot/a", NOW + 2, "zu spät")
        assert archive.dead() == [old, new]
        assert archive.dead(limit=1) == [old]
        assert archive.dead(agent="bot") == [new]


async def test_what_a_running_process_wrote_is_seen(tmp_path: Path) -> None:
    async with opened(tmp_path / "0.db") as journal:
        await journal.durable(journal.append(accepted("a")))
        with open_archive(tmp_path) as archive:
            assert len(archive.story("env_a")) == 1
            await journal.durable(journal.append(ended("a")))
            assert len(archive.story("env_a")) == 2


@pytest.mark.parametrize(("name", "reason"), [("file/journal", "Not a directory"), ("x" * 300, "File name too long")])
def test_a_folder_that_cannot_be_read_is_no_empty_journal(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught, open_archive(tmp_path / name):
        pass
    assert str(caught.value) == f"the journal in {tmp_path / name} cannot be read: {reason}"


def test_where_there_is_no_journal_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "0.db").touch()
    for folder in (tmp_path / "journal", tmp_path / "missing"):
        with open_archive(folder) as archive:
            assert (archive.sessions(), archive.dead(), archive.near("a"), archive.size) == ([], [], [], 0)


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.db").write_bytes(b"x" * 8192)
    with pytest.raises(StorageError, match=r"0.db is damaged"), open_archive(tmp_path):
        pytest.fail("it was opened")


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    await write(tmp_path / "0.db", [])
    connection = apsw.Connection(str(tmp_path / "0.db"))
    connection.pragma("user_version", 9)
    connection.close()
    with pytest.raises(StorageError, match="a newer version of ClawMesh"), open_archive(tmp_path):
        pytest.fail("it was opened")
