"""Where the executable unpacks itself, whom it trusts there, and what it survives."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from clawmesh.frozen import verify
from tests.build.program import Program, Sandbox, home

NOBODY = 65534
LIBRARY = "_internal/base_library.zip"
PUBLIC = ("/var/tmp", "/tmp", "/dev/shm")
# A file size at which unpacking is cut off by SIGXFSZ: after some files, in the middle of another.
ENOUGH_FOR_SOME = 2 << 20


def test_the_first_start_unpacks_and_the_next_does_not(program: Program) -> None:
    assert program.run("--version").returncode == 0
    written = {file: file.stat().st_mtime_ns for file in program.version.rglob("*")}
    assert program.run("--version").returncode == 0
    assert {file: file.stat().st_mtime_ns for file in program.version.rglob("*")} == written
    assert list(verify(program.version)) == []


def test_the_files_are_private_whatever_the_umask(program: Program) -> None:
    assert program.run("--version", umask=0).returncode == 0
    assert program.home.stat().st_mode & 0o7777 == 0o700
    assert [file for file in program.version.rglob("*") if file.stat().st_mode & 0o022] == []


def test_the_launcher_becomes_the_program(unpacked: Program) -> None:
    with unpacked.start(*unpacked.code("import os; print(os.getpid(), flush=True); input()")) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.communicate("\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_program(unpacked: Program, number: signal.Signals) -> None:
    code = f"""
import os, signal
signal.signal({number}, lambda *_, leave=os._exit: leave(7))
print("ready", flush=True)
signal.pause()"""
    with unpacked.start(*unpacked.code(code)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        process.communicate()
    assert process.returncode == 7


def test_closed_standard_streams_stay_closed(unpacked: Program) -> None:
    done = unpacked.run("--version", before=("sh", "-c", 'exec "$0" "$@" <&- 2>&-'))
    assert (done.returncode, done.stdout.partition(" ")[0]) == (0, "clawmesh")


def test_a_closed_standard_stream_is_no_trap(unpacked: Program) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = unpacked.run("demo", "--fast", before=("sh", "-c", f'exec "$0" "$@" {closed}'))
        assert done.returncode == 0, (closed, done.stderr)


def test_an_interrupt_that_comes_too_early_is_taken_later(unpacked: Program) -> None:
    def interrupted() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)

    done = unpacked.run("demo", preexec_fn=interrupted)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# Places


def test_places_are_tried_in_order(program: Program) -> None:
    environment = {name: str(program.place / name) for name in ("CLAWMESH_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME")}
    for place in environment.values():
        Path(place).mkdir()
    taken = {"CLAWMESH_RUNTIME_DIR": "", "XDG_CACHE_HOME": "", "HOME": ".cache"}
    for name, folder in taken.items():
        assert program.run("--version", env=environment).returncode == 0
        assert [file.parents[3] for file in program.place.rglob(LIBRARY)] == [program.place / name / folder]
        shutil.rmtree(environment.pop(name))


def test_a_missing_place_is_made_but_nothing_above_it(program: Program) -> None:
    place = program.place / "cache"
    assert program.run("--version", env={"XDG_CACHE_HOME": str(place)}).returncode == 0
    assert place.stat().st_mode & 0o777 == 0o700
    deep = program.place / "missing" / "cache"
    assert program.run("--version", env={"XDG_CACHE_HOME": str(deep), "HOME": str(program.place)}).returncode == 0
    assert not deep.parent.exists()
    assert home(program.place / ".cache").is_dir()


@pytest.mark.parametrize("place", PUBLIC)
def test_with_an_empty_environment_a_public_place_is_taken(sandbox: Sandbox, place: str) -> None:
    # The other two have no sticky bit: there, anyone could take our directory away.
    mounts = "; ".join(f"mount -t tmpfs -o mode={1777 if each == place else 777} none {each}" for each in PUBLIC)
    done = sandbox.run(f"{mounts}; env -i /mnt/clawmesh --version; find {' '.join(PUBLIC)} -path '*/{LIBRARY}'")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith(f"{place}/clawmesh-")


def test_a_read_only_root_is_no_obstacle(sandbox: Sandbox) -> None:
    mounts = "; ".join(f"mount -t tmpfs -o {'rw' if each == '/dev/shm' else 'ro'} none {each}" for each in PUBLIC)
    done = sandbox.run(f"{mounts}; mount -o remount,bind,ro /; env -i /mnt/clawmesh --version; ls /dev/shm")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("clawmesh-")


def test_a_read_only_place_serves_if_it_was_unpacked_before(sandbox: Sandbox) -> None:
    script = (
        "mkdir /mnt/place; mount -t tmpfs none /mnt/place; /mnt/clawmesh --version; mount -o remount,bind,ro /mnt/place"
    )
    done = sandbox.run(f"{script}; /mnt/clawmesh --version", CLAWMESH_RUNTIME_DIR="/mnt/place", XDG_CACHE_HOME="/proc")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr


@pytest.mark.usefixtures("root")
def test_root_leaves_the_home_of_another_user_alone(sandbox: Sandbox) -> None:
    script = f"mkdir /mnt/alice; chown {NOBODY} /mnt/alice; mount -t tmpfs none /var/tmp; /mnt/clawmesh --version"
    done = sandbox.run(f"{script}; ls -A /mnt/alice /var/tmp", HOME="/mnt/alice", XDG_CACHE_HOME="/mnt/alice/.cache")
    assert done.stdout.splitlines()[1:] == ["/mnt/alice:", "", "/var/tmp:", "clawmesh-0"]


@pytest.mark.usefixtures("root")
def test_another_user_has_a_directory_of_his_own(sandbox: Sandbox) -> None:
    nobody = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups env -i"
    script = f"mount -t tmpfs none /var/tmp; /mnt/clawmesh --version; {nobody} /mnt/clawmesh --version"
    done = sandbox.run(f"{script}; stat --format='%n %u %a' /var/tmp/*")
    assert done.stdout.splitlines()[2:] == ["/var/tmp/clawmesh-0 0 700", f"/var/tmp/clawmesh-{NOBODY} {NOBODY} 700"]


NOTHING = "clawmesh: no directory to unpack into; set CLAWMESH_RUNTIME_DIR to one of your own:"


@pytest.mark.parametrize(
    ("script", "refusal"),
    [
        ("mkdir -m 770 /mnt/place", "/mnt/place: others may write to it"),
        ("touch /mnt/place", "/mnt/place: is not a directory"),
        ("mkdir /mnt/place /mnt/real; ln -s /mnt/real /mnt/place/clawmesh-0", "clawmesh-0: Not a directory"),
        ("mkdir -p -m 755 /mnt/place/clawmesh-0", "clawmesh-0: others may enter it: its mode should be 0700"),
        ("mkdir -p -m 770 /mnt/place/clawmesh-0", "clawmesh-0: others may enter it: its mode should be 0700"),
        ("mkdir /mnt/place; mount -t tmpfs -o noexec none /mnt/place", "clawmesh-0: is mounted noexec"),
        ("mkdir /mnt/place; mount -t tmpfs -o size=8m none /mnt/place", "clawmesh-0: No space left on device"),
        ("mkdir /mnt/place; mount -t tmpfs -o ro none /mnt/place", "clawmesh-0: Read-only file system"),
    ],
)
def test_a_place_is_refused_for_a_reason(sandbox: Sandbox, script: str, refusal: str) -> None:
    mounts = "; ".join(f"mount -t tmpfs -o noexec none {each}" for each in PUBLIC)
    done = sandbox.run(f"{mounts}; {script}; /mnt/clawmesh --version", CLAWMESH_RUNTIME_DIR="/mnt/place")
    first, second, *others = done.stderr.splitlines()
    assert (done.returncode, first) == (1, NOTHING)
    assert second.endswith(refusal)
    assert others == [f"  {each}/clawmesh-0: is mounted noexec" for each in PUBLIC]


@pytest.mark.usefixtures("root")
def test_a_directory_of_another_user_is_refused(program: Program) -> None:
    other = program.place / "other"
    home(other).mkdir(parents=True, mode=0o700)
    os.chown(home(other), NOBODY, NOBODY)
    environment = {"CLAWMESH_RUNTIME_DIR": str(other), "XDG_CACHE_HOME": str(program.place)}
    assert program.run("--version", env=environment).returncode == 0
    assert list(home(other).iterdir()) == []
    assert list(verify(next(program.home.iterdir()))) == []


def test_a_full_place_is_left_empty_and_the_next_one_taken(sandbox: Sandbox) -> None:
    script = "mkdir /mnt/place /mnt/next; mount -t tmpfs -o size=8m none /mnt/place; /mnt/clawmesh --version"
    done = sandbox.run(
        f"{script}; ls /mnt/place/* /mnt/next", CLAWMESH_RUNTIME_DIR="/mnt/place", XDG_CACHE_HOME="/mnt/next"
    )
    assert done.stdout.splitlines()[1:] == ["/mnt/next:", "clawmesh-0", "", "/mnt/place/clawmesh-0:"]


# Faults


def test_twenty_first_starts_at_once_agree(program: Program) -> None:
    processes = [program.start("--version") for _ in range(20)]
    assert {(process.communicate()[1], process.returncode) for process in processes} == {("", 0)}
    assert list(verify(program.version)) == []
    assert list(program.version.rglob("*.new")) == []


def test_the_next_start_heals_one_that_was_killed(program: Program) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (ENOUGH_FOR_SOME, ENOUGH_FOR_SOME))

    assert program.run("--version", preexec_fn=limit).returncode == -signal.SIGXFSZ
    assert any(file.stat().st_size == ENOUGH_FOR_SOME for file in program.version.rglob("*.new"))
    assert program.run("--version").returncode == 0
    assert list(verify(program.version)) == []
    assert list(program.version.rglob("*.new")) == []


@pytest.mark.parametrize("harm", [lambda file: os.truncate(file, 1000), Path.unlink, lambda file: file.chmod(0)])
def test_a_start_mends_what_is_missing_or_cut_short(program: Program, harm: Callable[[Path], None]) -> None:
    assert program.run("--version").returncode == 0
    harm(program.version / LIBRARY)
    assert program.run("--version").returncode == 0
    assert list(verify(program.version)) == []


def test_mending_does_not_disturb_a_running_program(program: Program) -> None:
    code = "import sys; print(sys.executable, flush=True); input(); import sqlite3; print(sqlite3.sqlite_version)"
    with program.start(*program.code(code)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{program.version / 'clawmesh'}\n"
        for library in program.version.rglob("*sqlite3*"):
            library.unlink()
        assert program.run("--version").returncode == 0
        _, errors = process.communicate("\n")
    assert (process.returncode, errors) == (0, "")


def test_verifying_finds_a_file_that_only_kept_its_size(program: Program) -> None:
    assert program.run("--version").returncode == 0
    library = program.version / LIBRARY
    library.write_bytes(bytes(library.stat().st_size))
    assert list(verify(program.version)) == [f"{library}: its content has changed"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short_says_so(program: Program, share: float) -> None:
    content = program.file.read_bytes()
    copy = Program(program.place / "copy", program.place)
    copy.file.write_bytes(content[: max(2 << 20, int(share * len(content)))])
    copy.file.chmod(0o755)
    done = copy.run("--version")
    assert (done.returncode, done.stderr) == (1, f"clawmesh: {copy.file} is damaged: get the file again\n")


@pytest.mark.parametrize("place", [-100, -(1 << 20)], ids=["contents' end", "contents"])
def test_a_file_with_a_wrong_byte_says_so(program: Program, place: int) -> None:
    content = bytearray(program.file.read_bytes())
    content[place] ^= 1
    copy = Program(program.place / "copy", program.place)
    copy.file.write_bytes(content)
    copy.file.chmod(0o755)
    done = copy.run("--version")
    assert (done.returncode, done.stderr) == (1, f"clawmesh: {copy.file} is damaged: get the file again\n")
    assert list(program.home.rglob("*.new")) == []


# Versions


def test_a_running_program_keeps_its_version(program: Program) -> None:
    with program.start(*program.code("print(1, flush=True); input()")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BlockingIOError):
            lock(program.version, fcntl.LOCK_EX)
        process.communicate("\n")
    os.close(lock(program.version, fcntl.LOCK_EX))


def test_unpacking_removes_the_versions_that_nobody_runs(program: Program) -> None:
    program.home.mkdir(mode=0o700)
    unused, used = program.home / "0123456789abcdef", program.home / "fedcba9876543210"
    for folder in (unused, used):
        (folder / "_internal").mkdir(parents=True)
        (folder / "_internal" / "library").write_text("old")
    holder = lock(used, fcntl.LOCK_SH)
    assert program.run("--version").returncode == 0
    assert (unused.exists(), used.exists()) == (False, True)
    os.close(holder)


def lock(folder: Path, kind: int) -> int:
    """Take a lock on a folder as a running program does, and return the descriptor that holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
