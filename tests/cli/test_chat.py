"""`chat` with the built executable, in a terminal and through a pipe."""

from __future__ import annotations

import json
import signal

import pexpect
import pytest

from tests.cli.conftest import Person

# Switches bracketed paste on, which the prompt does when it is ready.
PROMPT = "\x1b[?2004h"
ENTER, NEWLINE, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x03", "\x04"


def test_a_conversation_in_a_terminal(person: Person) -> None:
    with person.terminal("chat", "echo") as terminal:
        terminal.expect_exact("Enter sends")
        terminal.expect_exact(PROMPT)
        terminal.send("first" + NEWLINE + "second" + ENTER)
        terminal.expect_exact("You said: first\r\nsecond")
        terminal.expect_exact(PROMPT)
        terminal.send("/agent teler" + ENTER)
        terminal.expect_exact('there is no agent "teler"; did you mean "teller"?')
        terminal.send("/agent teller" + ENTER)
        terminal.expect_exact("talking with teller")
        terminal.send("count" + ENTER)
        terminal.expect_exact("It is 42.")
        terminal.expect_exact(PROMPT)
        terminal.send(CTRL_D)
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0


def test_an_interrupt_stops_the_turn_and_not_the_chat(person: Person) -> None:
    with person.terminal("chat", "slow") as terminal:
        terminal.expect_exact(PROMPT)
        terminal.send("begin" + ENTER)
        terminal.expect_exact("one")
        terminal.send(CTRL_C)
        terminal.expect_exact("[stopped]")
        terminal.expect_exact(PROMPT)
        terminal.send(CTRL_C)
        terminal.send("/agent echo" + ENTER)
        terminal.expect_exact("talking with echo")
        terminal.send("still here" + ENTER)
        terminal.expect_exact("You said: still here")
        terminal.expect_exact(PROMPT)
        terminal.send("/quit" + ENTER)
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 0


def test_a_failed_turn_ends_only_itself(person: Person) -> None:
    done = person.run("chat", "busy", stdin="one\n/agent echo\ntwo\n")
    assert done.stdout == "You said: two\n"
    assert "clawmesh: script: the script says: quota\n" in done.stderr


def test_slash_commands_through_a_pipe(person: Person) -> None:
    done = person.run(
        "chat", "echo", stdin="hello\n/history\n/usage\n/new\n/history\n/agents\n/help\n/quit\nnot read\n"
    )
    assert done.stdout == "You said: hello\n"
    assert "user: hello\nassistant: You said: hello\n" in done.stderr
    assert "1 tokens in, 3 out" in done.stderr
    assert done.stderr.count("user: hello") == 1
    assert "teller  tells the sum" in done.stderr
    assert "/history" in done.stderr


def test_what_was_typed_is_kept_for_its_owner_alone(person: Person) -> None:
    with person.terminal("chat", "echo") as terminal:
        terminal.expect_exact(PROMPT)
        terminal.send("a secret thought" + ENTER)
        terminal.expect_exact("You said: a secret thought")
        terminal.expect_exact(PROMPT)
        terminal.send(CTRL_D)
        terminal.expect(pexpect.EOF)
    history = person.folder / "data" / "chat_history"
    assert "a secret thought" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_with_many_agents_one_must_be_named(person: Person) -> None:
    done = person.run("chat", code=2)
    assert done.stderr == "clawmesh: say which of the 5 agents (echo, teller, slow, …): clawmesh chat AGENT\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_a_pipe(person: Person, number: signal.Signals) -> None:
    with person.start("chat", "echo") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("one\r\n/usage\r\n")
        process.stdin.flush()
        assert process.stdout.readline() == "You said: one\n"
        # Printed between two turns: a Ctrl-C within one would stop only that.
        assert process.stderr.readline() == "1 tokens in, 3 out\n"
        process.send_signal(number)
        assert process.wait() == 130
        assert process.stderr.read().strip() == ""


def test_the_last_line_needs_no_end(person: Person) -> None:
    assert person.run("chat", "echo", stdin="one\n\ntwo").stdout == "You said: one\nYou said: two\n"


@pytest.mark.parametrize("length", [1024 * 1024 + 1, 2 * 1024 * 1024])
def test_a_line_has_a_bound(person: Person, length: int) -> None:
    done = person.run("chat", "echo", stdin="one\n" + "x" * length + "\n", code=2)
    assert done.stdout == "You said: one\n"
    assert done.stderr == "clawmesh: standard input, line 2: is longer than 1048576 bytes\n"


def test_a_line_may_be_long(person: Person) -> None:
    line = "x" * (1024 * 1024)
    assert person.run("chat", "echo", stdin=f"{line}\n").stdout == f"You said: {line}\n"


def test_a_chat_has_no_json(person: Person) -> None:
    done = person.run("chat", "echo", "--json", code=2)
    assert json.loads(done.stdout)["error"]["type"] == "UsageError"
    assert "a chat has no JSON" in done.stderr
