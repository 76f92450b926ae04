"""`clawmesh backup` and `clawmesh restore`, beside a mesh that runs, and when they are killed."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from clawmesh.journal.archive import open_archive
from tests.cli.conftest import Person
from tests.cli.service import serving

STEADY = """
[agents.steady]
backend = "steadily"
model = "steady"
[backends.steadily]
type = "scripted"
pace = 0.4
rules = [{ say = "one two three" }]
"""
STEPS = ["staged:1", "planned:1", "aside:1", "aside:2", "placed:1", "placed:2", "done:1"]


def restored(person: Person, folder: str) -> Person:
    """Return the same person with the backup restored elsewhere, as on another machine."""
    other = Person(person.executable, person.folder / folder)
    other.folder.mkdir()
    person.run("restore", "backup", "--data", str(other.folder / "data"))
    (other.folder / "clawmesh.toml").write_text((other.folder / "data/configuration/clawmesh.toml").read_text())
    return other


def test_a_backup_under_load_goes_on_elsewhere(person: Person) -> None:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write("[mesh]\nworkers = 2\n" + STEADY)
    with serving(person):
        before = [person.json("ask", f"echo/s{number}", "before") for number in range(4)]
        asked = [person.start("ask", f"steady/s{number}", "meanwhile") for number in range(4)]
        told = person.json("backup", "backup")
        assert [process.communicate()[0] for process in asked] == ["one two three\n"] * 4
    assert told["databases"] == ["journal/0.db", "journal/1.db"]
    assert told["bytes"] == (person.folder / "backup").stat().st_size
    other = restored(person, "other")
    for number, answered in enumerate(before):
        assert other.json("why", answered["id"])["state"] == "answered"
        history = other.run("chat", f"echo/s{number}", stdin="And now?\n/history\n").stderr
        assert history.startswith("user: before\nassistant: You said: before\n")
    with serving(other):
        assert other.run("ask", "echo/s1", "here").stdout == "You said: here\n"


def test_words_for_people(person: Person) -> None:
    person.run("ask", "echo/s", "hi")
    done = person.run("backup", "backup")
    assert done.stdout.startswith(f"{person.folder / 'backup'} holds 1 database and 2 files; it is ")
    assert "there already" in person.run("backup", "backup", code=2).stderr
    assert "--force keeps that aside" in person.run("restore", "backup", code=2).stderr
    again = person.run("restore", "backup", "--force")
    data = person.folder / "data"
    assert again.stdout.startswith(f"{data} is as {data} was at ")
    assert f"its configuration is {data}/configuration/clawmesh.toml" in again.stderr
    with serving(person):
        assert "clawmesh serve (process " in person.run("restore", "backup", "--force", code=1).stderr
    (person.folder / "part").write_bytes((person.folder / "backup").read_bytes()[:9000])
    assert (
        "is damaged"
        in json.loads(person.run("--json", "restore", "part", "--force", code=1).stdout)["error"]["message"]
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_in_the_middle_of_a_restore_leaves_the_old_or_the_new(person: Person, step: str) -> None:
    person.plugin("dice", "")
    old = person.json("ask", "echo/s", "old")
    person.run("backup", "backup")
    new = person.json("ask", "echo/s", "new")
    words = [str(person.executable), "restore", "backup", "--force"]
    environ = {**person.environ, "CLAWMESH_FAILPOINT": f"restore.{step}:kill"}
    killed = subprocess.run(words, cwd=person.folder, env=environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    # Whoever comes first, even if it only reads, finds one or the other.
    person.json("why", old["id"])
    found = person.run("why", new["id"], code=0 if step == "staged:1" else 2)
    assert step == "staged:1" or "new" not in found.stdout
    assert person.run("ask", "echo/s", "go on").stdout == "You said: go on\n"
    said = person.run("chat", "echo/s", stdin="/history\n").stderr
    assert ("user: new" in said) == (step == "staged:1")
    assert "user: old" in said
    # And the next one is not disturbed by what is left.
    person.run("restore", "backup", "--force")
    assert not (person.folder / "data" / ".restore").exists()
    with open_archive(person.folder / "data" / "journal") as archive:
        assert [story[0].envelope for story in archive.session("echo/s")] == [old["id"]]


@pytest.fixture
def full(person: Person) -> list[str]:
    """Return the words before a command which give it a folder `full` with little room."""
    (person.folder / "full").mkdir()
    script = 'mount -t tmpfs -o size=100k none full; "$@"; code=$?; find full -type f; exit $code'
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may not make a mount namespace")
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(person.executable)]


@pytest.mark.parametrize("words", [["backup", "full/backup"], ["restore", "backup", "--data", "full/data"]])
def test_a_full_disk_leaves_nothing_behind(person: Person, full: list[str], words: list[str]) -> None:
    person.run("ask", "echo/s", stdin="much " * 50_000)
    person.run("backup", "backup")
    done = subprocess.run([*full, *words], cwd=person.folder, env=person.environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written: " in done.stderr
    assert done.stdout.split() in ([], ["full/data/mesh.lock"])


def test_a_kill_in_the_middle_of_a_backup_leaves_none(person: Person) -> None:
    person.run("ask", "echo/s", stdin="much " * 100_000)
    part = person.folder / ".backup.part"
    for _ in range(3):
        process = person.start("backup", "backup")
        while not part.exists() and process.poll() is None:
            pass
        process.kill()
        process.communicate()
        assert not (person.folder / "backup").exists() or process.returncode == 0
        (person.folder / "backup").unlink(missing_ok=True)
    person.run("backup", "backup")
    assert not part.exists()
