"""`serve` and `stop`, and how `ask` and `chat` find whoever has the mesh."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from clawmesh.abc.journal import Story
from clawmesh.cluster.home import home
from clawmesh.journal.archive import open_archive
from tests.cli.conftest import Person

RELAY = '''
from clawmesh import Context, Message


async def relay(context: Context, message: Message) -> str:
    """Pass a message on to the address that it begins with."""
    to, _, text = message.text.partition(" ")
    return (await context.mesh.ask(to, text)).text


def register_agents():
    return {"relay": relay}
'''
KNOT = '''
from pathlib import Path

import anyio

from clawmesh import Context, Message


async def knot(context: Context, message: Message) -> str:
    """Wait for another one like this to begin, then ask it something."""
    if message.text == "anything":
        return "something"
    mine, theirs, to = message.text.split()
    Path(mine).touch()
    while not Path(theirs).exists():
        await anyio.sleep(0.01)
    return (await context.mesh.ask(to, "anything")).text


def register_agents():
    return {"knot": knot}
'''
# Each of two workers is home to one of them.
LEFT, RIGHT = (next(name for name in ("s1", "s2", "s3", "s4", "s5") if home(name, 2) == side) for side in (0, 1))


@dataclass(frozen=True)
class Server:
    """A mesh that is served."""

    person: Person
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process that holds the data directory."""
        return int(json.loads((self.person.folder / "data" / "mesh.lock").read_text())["pid"])

    @property
    def workers(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def said(self, text: str) -> None:
        """Wait until it says this on standard error."""
        assert self.process.stderr is not None
        while text not in (line := self.process.stderr.readline()):
            assert line, f"it ended without a word of {text!r}"

    def wait(self) -> str:
        """Return what it said on standard error, when it has ended in good order."""
        _, errors = self.process.communicate(timeout=50)
        assert self.process.returncode == 0, errors
        return errors


@contextmanager
def serving(person: Person, *words: str) -> Iterator[Server]:
    """Serve until the block ends, with what it was told to do if it did not end by itself."""
    process = person.start(*words, "serve")
    assert process.stdout is not None
    ready = process.stdout.readline()
    with process:
        try:
            assert "ready" in ready, process.communicate(timeout=50)
            yield Server(person, process)
        finally:
            process.kill()


def stories(person: Person, address: str) -> list[Story]:
    """Return what the journals have of a session."""
    with open_archive(person.folder / "data" / "journal") as archive:
        return [*archive.session(address)]


def answer(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=50)
    assert process.returncode == 0, errors
    return out


@pytest.fixture
def duo(person: Person) -> Person:
    """With two workers, and an agent that passes messages on."""
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write('[mesh]\nworkers = 2\n[agents.relay]\ntype = "relay"\npeers = ["*"]\n')
        file.write('[agents.steady]\nbackend = "steadily"\nmodel = "steady"\n')
        file.write('[backends.steadily]\ntype = "scripted"\npace = 0.4\nrules = [{ say = "one two three" }]\n')
    person.plugin("relay", RELAY)
    return person


@pytest.mark.parametrize("workers", [1, 2])
def test_a_served_mesh_is_asked_and_stopped(person: Person, workers: int) -> None:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write(f"[mesh]\nworkers = {workers}\n")
    with serving(person) as server:
        assert len(server.workers) == (workers if workers > 1 else 0)
        for session in (LEFT, RIGHT):
            assert person.run("ask", f"teller/{session}", "What is it?").stdout == "It is 42.\n"
            said = person.run("chat", f"teller/{session}", stdin="And now?\n/history\n")
            assert said.stdout == "It is 42.\n"
            assert said.stderr.splitlines()[:2] == ["user: What is it?", "assistant: It is 42."]
        assert (
            person.run("ask", "eco", "hi", code=2).stderr == 'clawmesh: there is no agent "eco"; did you mean "echo"?\n'
        )
        assert person.run("ask", "short", "hi", code=3).stderr.endswith("([limits] steps)\n")
        failed = json.loads(person.run("--json", "ask", "busy/s", "hi", code=1).stdout)["error"]
        assert (failed["type"], failed["backend"]) == ("QuotaError", "script")
        pid = server.pid
        assert person.run("stop").stdout == f"clawmesh serve (process {pid}) has ended\n"
        assert server.wait() == ""
    # What was said is still known, and goes on, to a command that is alone as well as to the next server.
    for session in (LEFT, RIGHT):
        assert "user: And now?" in person.run("chat", f"teller/{session}", stdin="Alone?\n/history\n").stderr
    with serving(person):
        for session in (LEFT, RIGHT):
            assert "user: Alone?" in person.run("chat", f"teller/{session}", stdin="/history\n").stderr
        person.run("stop")


def test_readiness_is_said_as_json_and_to_systemd(person: Person) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(person.folder / "notify"))
        words = ["env", f"NOTIFY_SOCKET={person.folder / 'notify'}", str(person.executable), "serve", "--json"]
        process = subprocess.Popen(
            words, cwd=person.folder, env=person.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["ready"] is True
            assert ready["data"] == str(person.folder / "data")
            systemd.settimeout(20)
            assert systemd.recv(100) == b"READY=1"
            process.send_signal(signal.SIGINT)
            assert process.wait(50) == 0


def test_there_is_one_holder(person: Person) -> None:
    assert "nothing runs on the data directory" in person.run("stop", code=1).stderr
    with serving(person) as server:
        who = f"clawmesh serve (process {server.pid}) holds the data directory"
        assert who in person.run("serve", code=1).stderr


def test_what_is_wrong_is_said_once(duo: Person) -> None:
    (duo.folder / "clawmesh.toml").write_text("[mesh]\nworkers = 2\n[agents.a]\nbackend = 'none'\n")
    assert duo.run("serve", code=2).stderr.count("there is no backend") == 1
    # And what shows only when the plugins are there.
    (duo.folder / "clawmesh.toml").write_text("[mesh]\nworkers = 2\n[agents.a]\ntype = 'relai'\n")
    assert duo.run("serve", code=2).stderr.count("relai") == 1


def test_a_plugin_that_is_not_trusted_is_told_of_once(duo: Person) -> None:
    (duo.folder / "plugins" / "stranger.py").write_text("")
    with serving(duo) as server:
        duo.run("stop")
        assert server.wait().count("plugin stranger is untrusted") == 1


def test_agents_reach_each_other_across_workers(duo: Person) -> None:
    with serving(duo):
        for here, there in ((LEFT, RIGHT), (RIGHT, LEFT)):
            assert duo.run("ask", f"relay/{here}", f"echo/{there} over there").stdout == "You said: over there\n"
        ring = duo.run("ask", f"relay/{LEFT}", f"relay/{RIGHT} relay/{LEFT} round", code=3).stderr
        assert "relay → relay" in ring


def test_a_ring_across_workers_ends_where_one_gives_way(duo: Person) -> None:
    with (duo.folder / "clawmesh.toml").open("a") as file:
        for name, other in (("one", "two"), ("two", "one")):
            file.write(f'[agents.{name}]\ntype = "knot"\npeers = ["{other}"]\n')
    duo.plugin("knot", KNOT)
    with serving(duo):
        first = duo.start("ask", f"one/{LEFT}", f"a b two/{RIGHT}")
        second = duo.start("ask", f"two/{RIGHT}", f"b a one/{LEFT}")
        assert answer(first) == "something\n"
        _, errors = second.communicate(timeout=50)
    assert second.returncode == 3
    ring = f"two/{RIGHT} → one/{LEFT} → two/{RIGHT}"
    assert errors == f"clawmesh: one/{LEFT} cannot be asked: it waits for this very answer ({ring})\n"


def test_many_at_once_without_a_server(person: Person) -> None:
    asked = [person.start("ask", "echo", str(number)) for number in range(8)]
    assert [answer(process) for process in asked] == [f"You said: {number}\n" for number in range(8)]


@pytest.mark.parametrize("session", [LEFT, RIGHT])
def test_a_killed_worker_is_replaced_and_its_session_goes_on(duo: Person, session: str) -> None:
    with serving(duo) as server:
        with duo.terminal("ask", f"steady/{session}", "go") as terminal:
            terminal.expect("one")
            for worker in server.workers:
                os.kill(worker, signal.SIGKILL)
            terminal.expect("starting again")
            terminal.expect("three")
            terminal.expect("clawmesh|$")
        assert duo.run("ask", f"echo/{session}", "still there?").stdout == "You said: still there?\n"
        duo.run("stop")
        errors = server.wait()
    assert errors.count("was ended by SIGKILL; it is started again") == 2


@pytest.mark.parametrize("victim", [0, 1], ids=["asker", "asked"])
def test_a_killed_worker_costs_no_answer_across(duo: Person, victim: int) -> None:
    with serving(duo) as server, duo.terminal("ask", f"relay/{LEFT}", f"steady/{RIGHT} go") as terminal:
        while not stories(duo, f"steady/{RIGHT}"):
            terminal.expect([pexpect.TIMEOUT], timeout=0.02)
        os.kill(server.workers[victim], signal.SIGKILL)
        terminal.expect("one two three")
        duo.run("stop")
        server.wait()
    # Each was asked once, whoever died.
    assert len(stories(duo, f"relay/{LEFT}")) == len(stories(duo, f"steady/{RIGHT}")) == 1


def test_a_killed_server_leaves_nothing_in_the_way(duo: Person) -> None:
    with serving(duo) as server, duo.terminal("ask", f"steady/{LEFT}", "go") as terminal:
        terminal.expect("one")
        os.kill(server.pid, signal.SIGKILL)
        # Whoever asked has the mesh now: it goes on with its own message, and lets the others in.
        terminal.expect("starting again")
        assert duo.run("ask", f"echo/{RIGHT}", "anybody?").stdout == "You said: anybody?\n"
        terminal.expect("three")
    with serving(duo):
        duo.run("stop")


def test_what_is_under_way_is_finished_before_the_end(duo: Person) -> None:
    with serving(duo) as server:
        asked = [
            duo.start("ask", f"relay/{here}", f"steady/{there} go") for here, there in ((LEFT, RIGHT), (RIGHT, LEFT))
        ]
        with duo.terminal("ask", f"steady/{LEFT}", "go") as terminal:
            terminal.expect("one")
            os.kill(server.pid, signal.SIGTERM)
            terminal.expect("two three")
        assert [answer(process) for process in asked] == ["one two three\n", "one two three\n"]
        said = server.wait()
    assert "told to end: no more is let in" in said
    assert "left in the journal" not in said


def test_a_second_signal_leaves_it_to_the_journal(duo: Person) -> None:
    with serving(duo) as server, duo.terminal("ask", f"slow/{LEFT}", "go") as terminal:
        terminal.expect("one")
        # Not the same one twice: that might arrive as one.
        os.kill(server.pid, signal.SIGTERM)
        os.kill(server.pid, signal.SIGINT)
        assert server.wait().endswith("\nclawmesh: 1 message left in the journal for the next start\n")


HOG = """
from clawmesh import Context, Message


async def hog(context: Context, message: Message) -> str:
    context.emit(message.parts[0])
    while True:
        pass


def register_agents():
    return {"hog": hog}
"""


def test_what_never_lets_the_loop_go_is_ended_by_a_third_signal(person: Person) -> None:
    with (person.folder / "clawmesh.toml").open("a") as file:
        file.write('[mesh]\nworkers = 1\n[agents.hog]\ntype = "hog"\n')
    person.plugin("hog", HOG)
    with serving(person) as server:
        asked = person.start("ask", "hog/s", "all of it")
        while not stories(person, "hog/s"):
            assert asked.poll() is None
        for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(server.pid, stop)
        assert server.process.wait(50) == 130
        asked.kill()
        asked.communicate()


def test_a_stopped_worker_goes_on_where_it_was(duo: Person) -> None:
    with serving(duo) as server:
        first = server.workers[0]
        asked = duo.start("ask", f"steady/{LEFT}", "go")
        os.kill(first, signal.SIGSTOP)
        assert duo.run("ask", f"echo/{RIGHT}", "meanwhile").stdout == "You said: meanwhile\n"
        os.kill(first, signal.SIGCONT)
        assert answer(asked) == "one two three\n"


def test_another_configuration_than_that_of_the_mesh_is_said(person: Person) -> None:
    other = person.folder / "other.toml"
    other.write_text((person.folder / "clawmesh.toml").read_text())
    with serving(person):
        assert person.run("ask", "echo/s", "hi").stderr == ""
        told = person.run("--config", str(other), "ask", "echo/s", "hi").stderr
    assert told.startswith("clawmesh: the mesh in ")
    assert f"runs with {person.folder / 'clawmesh.toml'}, not with {other}\n" in told


def test_an_answer_tells_the_id_that_why_wants(person: Person) -> None:
    answered = person.json("ask", "echo/s", "hi")
    assert person.json("why", answered["id"])["answer"]["parts"] == [{"type": "text", "text": answered["text"]}]


@pytest.fixture
def hangup() -> Iterator[None]:
    """Let what a test starts heed SIGHUP, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
def test_a_changed_configuration_comes_into_force_in_all_workers(duo: Person) -> None:
    with serving(duo) as server:
        with (duo.folder / "clawmesh.toml").open("a") as file:
            file.write('[agents.fresh]\nmodel = "echo"\nbackend = "script"\n')
        server.process.send_signal(signal.SIGHUP)
        server.said("the configuration was read again and is in force")
        for session in (LEFT, RIGHT):
            assert duo.run("ask", f"fresh/{session}", "hi").stdout == "You said: hi\n"
        (duo.folder / "clawmesh.toml").write_text("[agents")
        server.process.send_signal(signal.SIGHUP)
        server.said("the old one stays in force")
        assert duo.run("ask", f"fresh/{LEFT}", "hi").stdout == "You said: hi\n"
        # And in those that take the place of others, whatever the file says by then.
        for worker in server.workers:
            os.kill(worker, signal.SIGKILL)
        for session in (LEFT, RIGHT):
            assert duo.run("ask", f"fresh/{session}", "again").stdout == "You said: again\n"
