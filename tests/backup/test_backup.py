"""Backups of real journals, and what becomes of them when they are damaged or put back."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import anyio
import anyio.to_thread
import apsw
import msgspec
import pytest

from clawmesh.backup.manifest import MANIFEST, SEAL, Item, Manifest, encode, seal
from clawmesh.backup.reader import opened as opened_backup
from clawmesh.backup.restore import Restored, restore
from clawmesh.backup.writer import write
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import hold
from clawmesh.config.location import Places
from clawmesh.errors import ClawmeshError, HeldError, StorageError, UsageError
from clawmesh.journal.archive import open_archive
from tests.journal.samples import accepted, ended, opened

MANY = 300
CONFIG = """
include = "more.toml"
[backends.one]
type = "openai"
api_key = { env = "CANARY" }
[backends.two]
type = "openai"
api_key = { file = "key" }
"""


def quiet(_what: str, _share: float) -> None:
    """Hear how far it is."""


def back_up(file: Path, data: Path, config: Path | None = None, environ: Mapping[str, str] | None = None) -> Manifest:
    heard: list[str] = []
    manifest = write(file, Places(config, data), environ or {}, SystemClock(), quiet, heard.append)
    assert heard == []
    return manifest


def bring_back(file: Path, data: Path, *, force: bool = False) -> Restored:
    return restore(file, data, SystemClock(), quiet, force=force)


def fill(data: Path, number: int = 0, count: int = MANY) -> None:
    anyio.run(_fill, data, number, count)


async def _fill(data: Path, number: int, count: int) -> None:
    async with opened(data / "journal" / f"{number}.db") as journal:
        for each in range(count):
            journal.append(accepted(f"{number}-{each}", f"bot/{number}"))
            journal.append(ended(f"{number}-{each}"))


def envelopes(data: Path, number: int = 0) -> list[str]:
    with open_archive(data / "journal") as archive:
        return [story[0].envelope for story in archive.session(f"bot/{number}", 100_000)]


def all_of(count: int, number: int = 0) -> list[str]:
    return sorted(f"env_{number}-{each}" for each in range(count))


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Return a backup of two journals."""
    for number in (0, 1):
        fill(tmp_path / "data", number)
    (tmp_path / "data" / "journal" / "workers").write_text("2")
    (tmp_path / "data" / "trust.toml").write_text("[sha256]\n")
    back_up(tmp_path / "backup", tmp_path / "data")
    return tmp_path / "backup"


def test_all_comes_back(backup: Path, tmp_path: Path) -> None:
    bring_back(backup, tmp_path / "new")
    for number in (0, 1):
        assert sorted(envelopes(tmp_path / "new", number)) == all_of(MANY, number)
    assert (tmp_path / "new" / "journal" / "workers").read_text() == "2"
    assert (tmp_path / "new" / "trust.toml").read_text() == "[sha256]\n"


@pytest.mark.anyio
async def test_what_is_written_meanwhile_makes_no_copy_unsound(tmp_path: Path) -> None:
    data, count = tmp_path / "data", 0
    over = anyio.Event()
    async with opened(data / "journal" / "0.db") as journal, anyio.create_task_group() as tasks:

        async def busy() -> None:
            nonlocal count
            while not over.is_set():
                for _ in range(50):
                    journal.append(accepted(f"0-{count}", "bot/0"))
                    position = journal.append(ended(f"0-{count}"))
                    count += 1
                await journal.durable(position)

        tasks.start_soon(busy)
        for number in range(5):
            before = max(0, count - 50)
            await anyio.to_thread.run_sync(back_up, tmp_path / f"backup{number}", data)
            bring_back(tmp_path / f"backup{number}", tmp_path / f"new{number}")
            found = envelopes(tmp_path / f"new{number}")
            assert sorted(found) == all_of(len(found))
            assert before <= len(found) <= count
        over.set()


@pytest.mark.anyio
async def test_a_journal_that_was_not_closed_is_backed_up_with_its_log(tmp_path: Path) -> None:
    async with opened(tmp_path / "data" / "journal" / "0.db") as journal:
        await journal.durable(journal.append(accepted("0-0", "bot/0")))
        for name in ("0.db", "0.db-wal", "0.db.lock"):
            source, target = tmp_path / "data" / "journal" / name, tmp_path / "killed" / "journal" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    back_up(tmp_path / "backup", tmp_path / "killed")
    bring_back(tmp_path / "backup", tmp_path / "new")
    assert envelopes(tmp_path / "new") == ["env_0-0"]


def test_no_damaged_byte_passes(backup: Path, tmp_path: Path) -> None:
    sound = backup.read_bytes()
    bring_back(backup, tmp_path / "sound")
    for number in range(200):
        place = len(sound) * number // 200 + 300  # within a file's first bytes as well as in what tar puts around it
        broken = bytearray(sound)
        broken[place % len(sound)] ^= 0x10
        (tmp_path / "broken").write_bytes(broken)
        data = tmp_path / f"new{number}"
        try:
            bring_back(tmp_path / "broken", data)
        except StorageError:
            assert not (data / "journal").exists()
        else:
            for name in ("journal/0.db", "journal/1.db", "journal/workers", "trust.toml"):
                assert (data / name).read_bytes() == (tmp_path / "sound" / name).read_bytes()


def test_no_part_of_a_backup_passes(backup: Path, tmp_path: Path) -> None:
    sound = backup.read_bytes()
    with tarfile.open(backup) as archive:
        last = archive.getmembers()[-1]
    for length in [*range(0, last.offset_data, last.offset_data // 50), last.offset_data]:
        (tmp_path / "part").write_bytes(sound[:length])
        with pytest.raises(StorageError, match="is damaged"):
            bring_back(tmp_path / "part", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_is_for_its_owner_alone(tmp_path: Path) -> None:
    fill(tmp_path / "data", count=1)
    before = os.umask(0)
    try:
        back_up(tmp_path / "backup", tmp_path / "data")
        bring_back(tmp_path / "backup", tmp_path / "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "new" / "journal").stat().st_mode) == 0o700


def test_the_configuration_is_in_it_and_no_secret(tmp_path: Path) -> None:
    folder = tmp_path / "configuration"
    (folder / "plugins").mkdir(parents=True, mode=0o755)
    (folder / "agents.d").mkdir()
    (folder / "clawmesh.toml").write_text(CONFIG)
    (folder / "more.toml").write_text("")
    (folder / "agents.d" / "a.toml").write_text("[agents.a]\nbackend = 'one'\n")
    (folder / "plugins" / "dice.py").write_text("")
    (folder / "plugins" / "dice.py").chmod(0o644)
    (folder / "key").write_text("canary in a file")
    fill(tmp_path / "data", count=1)
    (tmp_path / "data" / "token").write_text("canary of a token")
    (tmp_path / "data" / "tokens.json").write_text("[]")
    manifest = back_up(
        tmp_path / "backup", tmp_path / "data", folder / "clawmesh.toml", {"CANARY": "canary of the environment"}
    )
    assert b"canary" not in (tmp_path / "backup").read_bytes()
    assert {item.name for item in manifest.items} == {
        *("journal/0.db", "tokens.json", "configuration/clawmesh.toml", "configuration/more.toml"),
        *("configuration/agents.d/a.toml", "configuration/plugins/dice.py"),
    }
    bring_back(tmp_path / "backup", tmp_path / "new")
    assert (tmp_path / "new" / "configuration" / "clawmesh.toml").read_text() == CONFIG


def test_a_configuration_with_mistakes_is_backed_up_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "clawmesh.toml").write_text("[agents\n")
    (item,) = back_up(tmp_path / "backup", tmp_path / "data", tmp_path / "clawmesh.toml").items
    assert item.name == "configuration/clawmesh.toml"


def test_a_damaged_journal_is_not_backed_up(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    with (tmp_path / "data" / "journal" / "0.db").open("r+b") as file:
        file.seek(4096 * 5)
        file.write(os.urandom(4096 * 3))
    with pytest.raises(StorageError, match=r"is damaged .*restore a backup"):
        back_up(tmp_path / "backup", tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_nothing_is_replaced_and_nothing_made_of_nothing(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is there already"):
        back_up(backup, tmp_path / "data")
    with pytest.raises(UsageError, match="there is nothing to back up"):
        back_up(tmp_path / "other", tmp_path / "empty")
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        back_up(tmp_path / "missing" / "backup", tmp_path / "data")
    with pytest.raises(StorageError, match="cannot be read: No such file or directory"):
        bring_back(tmp_path / "other", tmp_path / "empty")


def test_one_that_was_killed_is_not_in_the_way(tmp_path: Path) -> None:
    fill(tmp_path / "data", count=1)
    (tmp_path / ".backup.part").write_bytes(bytes(100_000))
    (tmp_path / ".backup.part.db").write_bytes(bytes(100_000))
    back_up(tmp_path / "backup", tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]


def test_a_directory_in_use_is_refused(backup: Path, tmp_path: Path) -> None:
    with hold(tmp_path / "new", "serve"), pytest.raises(HeldError, match=r"clawmesh serve \(process \d+\) holds"):
        bring_back(backup, tmp_path / "new", force=True)
    with pytest.raises(UsageError, match=r"holds something \(journal, trust.toml\); --force keeps that aside"):
        bring_back(backup, tmp_path / "data")


def test_what_was_there_is_kept_aside(backup: Path, tmp_path: Path) -> None:
    fill(tmp_path / "new", count=7)
    (tmp_path / "new" / "notes").write_text("mine")
    done = [bring_back(backup, tmp_path / "new", force=True) for _ in range(3)]
    assert sorted(envelopes(tmp_path / "new")) == all_of(MANY)
    first, second, third = (each.aside for each in done)
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first / "notes").read_text() == "mine"
    assert sorted(envelopes(first)) == all_of(7)
    assert sorted(envelopes(second)) == all_of(MANY)
    assert len({first, second, third}) == 3


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "data", count=1)
    connection = apsw.Connection(str(tmp_path / "data" / "journal" / "0.db"))
    connection.pragma("user_version", 99)
    connection.close()
    back_up(tmp_path / "backup", tmp_path / "data")
    with pytest.raises(StorageError, match=r"a newer version of ClawMesh made the journal journal/0\.db"):
        bring_back(tmp_path / "backup", tmp_path / "new")
    assert not (tmp_path / "new" / "journal").exists()


def forge(file: Path, manifest: bytes, files: Mapping[str, bytes]) -> Path:
    """Write what looks like a backup."""
    with tarfile.open(file, "w") as archive:
        for name, content in {**files, MANIFEST: manifest, SEAL: seal(manifest)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    return file


def manifest(*names: str) -> bytes:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return encode(Manifest(1, "1", 1, 0.0, "/data", "", tuple(Item(name, 0, empty, name) for name in names)))


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    later = msgspec.json.encode({"format": 2, "version": "9.1"})
    with pytest.raises(StorageError, match=r"ClawMesh 9\.1 made the backup .* \(its format is 2, this program knows 1"):
        bring_back(forge(tmp_path / "later", later, {}), tmp_path / "new")


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "mesh.lock", "run/0.sock", ".restore/plan.json", "a//b"]
)
def test_no_file_leaves_the_data_directory(tmp_path: Path, name: str) -> None:
    file = forge(tmp_path / "evil", manifest(name), {name: b""})
    with pytest.raises(StorageError, match="which has no place in a data directory"):
        bring_back(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_files_and_manifest_belong_together(tmp_path: Path) -> None:
    for names, files in ((("a",), {}), ((), {"a": b""}), (("a", "b"), {"a": b"", "c": b""})):
        file = forge(tmp_path / "odd", manifest(*names), files)
        with pytest.raises(StorageError, match="it holds other files than its manifest says"):
            bring_back(file, tmp_path / "new")
    file = forge(tmp_path / "odd", b"[]", {})
    with pytest.raises(StorageError, match="is no backup of ClawMesh: its manifest cannot be read"):
        bring_back(file, tmp_path / "new")


def test_a_link_is_no_file_of_a_backup(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "odd", "w") as archive:
        entry = tarfile.TarInfo("journal")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    with (
        pytest.raises(ClawmeshError, match="is no backup of ClawMesh: found 'journal' in it"),
        opened_backup(tmp_path / "odd"),
    ):
        pass
