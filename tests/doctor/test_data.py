"""What is said of data directories in every state."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import anyio
import apsw
import pytest

from clawmesh.doctor.data import directory, disk, file_system, journals, private
from clawmesh.doctor.finding import Finding
from tests.journal.samples import accepted, ended, opened


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with a journal that was closed in good order."""

    async def fill() -> None:
        async with opened(tmp_path / "data" / "journal" / "0.db") as journal:
            for number in range(300):
                journal.append(accepted(str(number)))
                journal.append(ended(str(number)))

    anyio.run(fill)
    (tmp_path / "data").chmod(0o700)
    return tmp_path / "data"


def worst(findings: Iterable[Finding]) -> Finding:
    order = ("ok", "warn", "fail")
    return max(findings, key=lambda finding: order.index(finding.status))


def test_a_sound_directory(data: Path) -> None:
    before = sorted(path.name for path in data.rglob("*"))
    found = [*directory(data), *journals(data, held=False), *private(data)]
    assert {finding.status for finding in found} == {"ok"}
    assert "is sound, 0." in found[-1].text
    # Nothing was made beside it, nothing written.
    assert sorted(path.name for path in data.rglob("*")) == before


def test_one_that_is_not_there_yet(tmp_path: Path) -> None:
    (found,) = directory(tmp_path / "a" / "b")
    assert (found.status, found.text) == ("ok", f"{tmp_path / 'a' / 'b'} is not there yet; the first start makes it")
    (found,) = journals(tmp_path / "a", held=False)
    assert (found.status, found.text) == ("ok", "there is none yet")


@pytest.mark.parametrize(
    ("mode", "status", "text"),
    [(0o755, "warn", "may be read by others (mode 0755)"), (0o777, "fail", "may be written by others (mode 0777)")],
)
def test_others_have_no_business_there(data: Path, mode: int, status: str, text: str) -> None:
    data.chmod(mode)
    found = worst(directory(data))
    assert (found.status, found.mend) == (status, f"chmod 700 {data}")
    assert found.text.endswith(text)


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert worst(directory(tmp_path / "data")).text.endswith("is no directory")


def test_the_disk_under_it(tmp_path: Path) -> None:
    (found,) = disk(tmp_path)
    assert found.status in ("ok", "warn")
    found = worst(disk(Path("/proc")))  # has nothing free
    assert found.status == "fail"


def test_a_network_file_system_is_told(data: Path, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    place = str(tmp_path).replace(" ", "\\040")
    mounts.write_text(f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / {place} rw shared:1 - nfs4 server:/x rw\n")
    assert file_system(data, mounts) == "nfs4"
    assert "network file system (nfs4)" in worst(directory(data, mounts)).text
    assert file_system(Path("/etc"), mounts) == "ext4"
    assert file_system(data, tmp_path / "missing") == ""
    assert file_system(Path("/proc")) == "proc"


def test_a_damaged_journal(data: Path) -> None:
    with (data / "journal" / "0.db").open("r+b") as file:
        file.seek(4096 * 5)
        file.write(os.urandom(4096 * 3))
    found = worst(journals(data, held=False))
    assert found.status == "fail"
    assert "is damaged" in found.text
    assert found.mend.startswith("restore a backup")


def test_a_truncated_journal(data: Path) -> None:
    os.truncate(data / "journal" / "0.db", 4096 * 4)
    assert worst(journals(data, held=False)).status == "fail"


def test_an_emptied_and_a_missing_journal(data: Path) -> None:
    os.truncate(data / "journal" / "0.db", 0)
    assert "0.db is empty, and with it all that was written" in worst(journals(data, held=False)).text
    (data / "journal" / "0.db").unlink()
    assert "0.db is gone, and with it all that was written" in worst(journals(data, held=False)).text


def test_one_of_a_newer_version_and_one_of_another_program(data: Path) -> None:
    connection = apsw.Connection(str(data / "journal" / "0.db"))
    connection.pragma("user_version", 99)
    assert "a newer version of ClawMesh made" in worst(journals(data, held=False)).text
    connection.pragma("application_id", 1)
    assert "another program's database" in worst(journals(data, held=False)).text
    connection.close()


def test_a_journal_whose_process_was_killed(data: Path) -> None:
    lock = data / "journal" / "0.db.lock"
    lock.write_text("7 written")
    found = worst(journals(data, held=False))
    assert (found.status, "its log 0.db-wal is gone" in found.text) == ("fail", True)
    (data / "journal" / "0.db-wal").write_bytes(b"")
    found = worst(journals(data, held=False))
    assert (found.status, found.mend) == ("warn", "nothing: the next start looks through it, and goes on")
    assert worst(journals(data, held=True)).status == "ok"


def test_a_log_that_grew_out_of_bounds(data: Path) -> None:
    with (data / "journal" / "0.db-wal").open("wb") as log:
        log.truncate(200 << 20)
    found = worst(journals(data, held=True))
    assert (found.status, found.text) == ("warn", f"the log {data}/journal/0.db-wal has grown to 200 MB")


def test_private_files_that_others_may_write(data: Path) -> None:
    (data / "tokens.json").write_text("[]")
    (data / "tokens.json").chmod(0o666)
    assert "tokens.json: can be written by others" in worst(private(data)).text


def test_an_interrupted_restore(data: Path) -> None:
    (data / ".restore").mkdir()
    (data / ".restore" / "plan.json").write_text("{}")
    found = worst(directory(data))
    assert found.status == "fail"
    assert "a restore was interrupted" in found.text
