"""`clawmesh why` as a person uses it."""

from __future__ import annotations

import os
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Person

TEAM = """
[defaults]
backend = "script"

[agents.lead]
model = "lead"
peers = ["writer"]

[agents.writer]
model = "writer"
tools = ["calculator"]

[agents.worker]
model = "worker"
tools = ["hold"]

[agents.echo]
model = "echo"

[agents.limited]
model = "lead"
peers = ["writer"]
limits = { steps = 1 }

[backends.script]
type = "scripted"
rules = [
    { model = "lead", after = "ask_agent", say = "The writer says: {result}" },
    { model = "lead", calls = [{ tool = "ask_agent", arguments = { agent = "writer", message = "count" } }] },
    { model = "writer", after = "calculator", say = "It is {result}." },
    { model = "writer", calls = [{ tool = "calculator", arguments = { expression = "6 * 7" } }] },
    { model = "worker", after = "hold", say = "done" },
    { model = "worker", calls = [{ tool = "hold", arguments = {} }] },
    { model = "echo", say = "you said {text}" },
]
"""
HOLD = '''
from pathlib import Path

import anyio
import clawmesh


@clawmesh.tool(effect="unsafe")
async def hold() -> str:
    """Tell who waits at the pipe, and hold on."""
    await anyio.to_thread.run_sync(Path("{pipe}").write_text, "held")
    await anyio.sleep_forever()
    return ""


@clawmesh.hookimpl
def register_tools():
    return {{"hold": hold}}
'''


@pytest.fixture
def team(person: Person) -> Person:
    (person.folder / "clawmesh.toml").write_text(TEAM)
    pipe = person.folder / "pipe"
    os.mkfifo(pipe)
    person.plugin("hold", HOLD.format(pipe=pipe))
    return person


def crash(team: Person, address: str) -> None:
    """Kill a process while a tool of an agent is at work."""
    process = team.start("ask", address, "hold this")
    assert Path(team.folder / "pipe").read_text() == "held"
    process.kill()
    process.communicate()


def test_a_message_is_told_from_its_way_in_to_its_answer(team: Person) -> None:
    team.run("ask", "lead/s1", "how much?")
    (message,) = team.json("why", "lead/s1")["messages"]
    told = team.run("why", message["id"]).stdout
    assert f"{message['id']}: user asked lead/s1, answered after" in told
    assert "The writer says: It is 42." in told
    assert "2 model calls, 1 tool call" in told
    assert '(agent="writer", message="count") → It is 42.' in told
    assert ">  user → lead/s1" in told
    assert "→ writer/lead~s1" in told
    assert "\x1b" not in told


def test_one_token_is_told_as_one(team: Person) -> None:
    team.run("ask", "lead/s1", "hi")
    told = team.run("why", team.json("why", "lead/s1")["messages"][0]["id"]).stdout
    assert "1 token " in told
    assert "1 tokens" not in told


def test_what_it_caused_is_found_from_either_end(team: Person) -> None:
    team.run("ask", "lead/s1", "how much?")
    own = team.json("why", "lead/s1")["messages"][0]["id"]
    (asked,) = team.json("why", own)["kin"]
    assert (asked["from"], asked["to"], asked["causes"]) == ("lead/s1", "writer/lead~s1", [own])
    (step, last) = asked["steps"]
    assert step["calls"][0] | {"began": 0, "ended": 0, "seconds": 0, "key": ""} == {
        "name": "calculator",
        "arguments": '{"expression": "6 * 7"}',
        "key": "",
        "effect": None,
        "began": 0,
        "ended": 0,
        "seconds": 0,
        "result": "42",
        "failed": False,
        "again": False,
        "unknown": False,
    }
    assert last["text"] == "It is 42."
    kin = team.json("why", asked["id"])
    assert [each["id"] for each in kin["kin"]] == [own]
    assert kin["waits_for"] is None


def test_an_id_may_be_cut_and_lack_its_prefix(team: Person) -> None:
    team.run("ask", "echo/s1", "hi")
    id = team.json("why", "echo/s1")["messages"][0]["id"]
    assert team.json("why", id[:15])["id"] == id
    assert team.json("why", id.removeprefix("env_"))["id"] == id


def test_a_failure_says_its_reason(team: Person) -> None:
    team.run("ask", "limited/s1", "how much?", code=3)
    (message,) = team.json("why", "limited/s1")["messages"]
    assert (message["state"], message["error"]["type"]) == ("refused", "LimitError")
    assert "LimitError: no answer after 1 model calls" in team.run("why", message["id"]).stdout


def test_what_is_not_there_is_named_with_what_is_near(team: Person) -> None:
    assert "the journal is empty" in team.run("why", "env_1", code=2).stderr
    team.run("ask", "echo/s1", "hi")
    id = team.json("why", "echo/s1")["messages"][0]["id"]
    assert f'there is no message "{id[:-1]}_"; nearest: {id}' in team.run("why", f"{id[:-1]}_", code=2).stderr
    assert f"; nearest: {id}" in team.run("why", f"{id[4:-1]}_", code=2).stderr
    assert 'there is no message "echo"; sessions of echo: echo/s1\n' in team.run("why", "echo", code=2).stderr
    assert 'did you mean "echo/s1"?' in team.run("why", "echo/s11", code=2).stderr
    assert 'there is no session "ehco/x"' in team.run("why", "ehco/x", code=2).stderr


def test_nothing_is_called_near_that_is_not(team: Person) -> None:
    team.run("ask", "echo/s1", "hi")
    for text in ("nope", "env_zzz", ""):
        assert team.run("why", text, code=2).stderr == (
            f'clawmesh: there is no message "{text}"\n'
            "  'clawmesh why AGENT/SESSION' lists the messages of a session\n"
        )


def test_several_that_begin_alike_are_listed(team: Person) -> None:
    team.run("ask", "lead/s1", "how much?")
    told = team.run("why", "env_", code=2).stderr
    assert 'several messages begin with "env_"' in told
    assert told.count("env_") == 3


def test_a_session_lists_its_messages(team: Person) -> None:
    for text in ("one", "two", "x" * 200):
        team.run("ask", "echo/s1", text)
    told = team.run("why", "echo/s1").stdout
    assert "echo/s1: 3 messages, 3 answered" in told
    assert f"{'x' * 60}… (200 characters)" in told
    known = team.json("why", "echo/s1")
    assert known["session"] == "echo/s1"
    assert [message["text"] for message in known["messages"]][:2] == ["one", "two"]


def test_after_a_crash_it_says_what_it_waits_for_and_then_that_the_outcome_is_unknown(team: Person) -> None:
    crash(team, "worker/s1")
    (message,) = team.json("why", "worker/s1")["messages"]
    assert message["state"] == "pending"
    told = team.run("why", message["id"]).stdout
    assert "pending" in told
    assert "waits for  a process that goes on with it, such as 'clawmesh serve'; then for what hold will give" in told
    assert "() is at work" in told
    team.run("ask", "echo/s1", "hi")
    (message,) = team.json("why", "worker/s1")["messages"]
    assert (message["state"], len(message["resumed"])) == ("answered", 1)
    assert message["steps"][0]["calls"][0]["unknown"]
    told = team.run("why", message["id"]).stdout
    assert "() → unknown: the process ended while it was at work" in told
    assert "1 time, after the process had ended" in told
    assert "until it was last taken up" in told


def test_a_row_takes_one_line_of_a_terminal(team: Person) -> None:
    team.run("ask", "lead/s1", "how much? " * 20)
    id = team.json("why", "lead/s1")["messages"][0]["id"]
    for words in (["why", "lead/s1"], ["why", id], ["agents"]):
        with team.terminal(*words, columns=80) as child:
            child.expect(pexpect.EOF)
        lines = (child.before or "").splitlines()
        assert max(map(len, lines)) <= 80
        assert sum(id in line for line in lines) == (0 if words == ["agents"] else words.count(id) + 1)


def test_control_characters_do_not_reach_a_terminal(team: Person) -> None:
    team.run("ask", "echo/s1", "\x1b]0;title\x07hi")
    id = team.json("why", "echo/s1")["messages"][0]["id"]
    with team.terminal("why", id) as child:
        child.expect("you said ")
        child.expect_exact("hi")
        assert "\x1b]0;" not in (child.before or "")


def test_no_configuration_is_needed(team: Person) -> None:
    team.run("ask", "echo/s1", "hi")
    (team.folder / "clawmesh.toml").unlink()
    assert len(team.json("why", "echo/s1")["messages"]) == 1


def test_a_data_directory_that_is_misspelt_is_not_taken_for_an_empty_one(team: Person) -> None:
    for words in (["why", "echo/s1"], ["dead", "list"], ["agents", "--stats"]):
        error = team.run(*words, "--data", "dtaa", code=2).stderr
        assert error == f"clawmesh: there is no directory {team.folder}/dtaa, which --data names\n"


def test_a_call_without_a_result_at_the_end_of_its_turn_is_said_so(team: Person) -> None:
    process = team.start("ask", "worker/s1", "hold this", "--seconds", "3")
    assert Path(team.folder / "pipe").read_text() == "held"
    process.communicate(timeout=20)
    id = team.json("why", "worker/s1")["messages"][0]["id"]
    assert "() → no result: the turn ended first" in team.run("why", id).stdout
