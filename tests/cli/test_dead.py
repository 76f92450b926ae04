"""`clawmesh dead` as a person uses it."""

from __future__ import annotations

from typing import Any

import pexpect
import pytest

from tests.cli.conftest import Person
from tests.cli.service import serving

OFFICE = """
[mesh]
workers = 2

[defaults]
backend = "script"

[agents.boss]
model = "boss"
peers = ["clerk"]

[agents.clerk]
model = "clerk"

[backends.script]
type = "scripted"
rules = [
    {{ model = "boss", after = "send_agent", say = "told" }},
    {{ model = "boss", calls = [{{ tool = "send_agent", arguments = {told} }}] }},
    {{ model = "clerk", {clerk} }},
]
"""
TOLD = '{ agent = "clerk", message = "file {text}" }'
SICK, WELL = 'fail = "quota"', 'say = "filed"'


@pytest.fixture
def office(person: Person) -> Person:
    """Return a person whose clerk does nothing of what it is told."""
    hire(person, SICK)
    return person


def hire(person: Person, clerk: str) -> None:
    (person.folder / "clawmesh.toml").write_text(OFFICE.format(told=TOLD, clerk=clerk))


def tell(office: Person, *sessions: str) -> list[dict[str, Any]]:
    """Let the boss tell the clerk something in each session; return the dead letters that come of it."""
    for session in sessions:
        office.run("ask", f"boss/{session}", f"the papers of {session}")
    letters: list[dict[str, Any]] = office.json("dead", "list")
    assert len(letters) == len(sessions)
    return letters


def test_none_are_listed_where_there_are_none(office: Person) -> None:
    done = office.run("dead", "list")
    assert (done.stdout, done.stderr) == ("", "there are no dead letters\n")
    assert office.json("dead", "list") == []


def test_the_list_says_who_told_whom_and_why_it_failed(office: Person) -> None:
    first, second = tell(office, "s1", "s2")
    assert (first["from"], first["to"]) == ("boss/s1", "clerk/boss~s1")
    assert first["reason"] == "script: the script says: quota"
    assert first["at"] <= second["at"]
    head, *lines = office.run("dead", "list").stdout.splitlines()
    assert head.split() == ["ID", "SINCE", "AGE", "FROM", "TO", "REASON"]
    assert [line.split()[0] for line in lines] == [first["id"], second["id"]]
    assert office.json("dead", "list", "--agent", "boss") == []
    assert len(office.json("dead", "list", "--agent", "clerk")) == 2


def test_one_is_shown_whole(office: Person) -> None:
    long = "x" * 1000
    office.run("ask", "boss/s1", long)
    (letter,) = office.json("dead", "list")
    told = office.run("dead", "show", letter["id"]).stdout
    assert "boss/s1 told clerk/boss~s1, failed after" in told
    assert "QuotaError: script: the script says: quota" in told
    assert f"'clawmesh dead redrive {letter['id']}' sends it again" in told
    assert told.endswith(f"\nfile {long}\n")
    assert office.json("dead", "show", letter["id"][:20])["rests"][0]["state"] == "dead"


def test_one_that_is_sent_again_leaves_and_arrives(office: Person) -> None:
    (letter,) = tell(office, "s1")
    hire(office, WELL)
    done = office.run("dead", "redrive", letter["id"]).stdout
    new = done.removeprefix(f"{letter['id']} is sent again as ").strip()
    assert office.json("dead", "list") == []
    again = office.json("why", new)
    assert (again["state"], again["to"], again["text"]) == ("answered", "clerk/boss~s1", "file the papers of s1")
    assert "sent again" in office.run("why", letter["id"]).stdout
    error = office.run("dead", "redrive", letter["id"], code=2).stderr
    assert f"'clawmesh why {letter['id']}' tells what became of it" in error


def test_all_are_sent_again_and_those_that_fail_again_rest_anew(office: Person) -> None:
    before = tell(office, "s1", "s2")
    done = office.json("dead", "redrive", "--all")
    assert [each["id"] for each in done] == [letter["id"] for letter in before]
    after = office.json("dead", "list")
    assert {letter["id"] for letter in after} == {each["new"] for each in done}


def test_the_process_that_has_the_mesh_sends_and_discards(office: Person) -> None:
    with serving(office):
        first, second = tell(office, "s1", "s2")
        new = office.json("dead", "redrive", first["id"])[0]["new"]
        office.run("dead", "discard", second["id"])
        # What is asked of the same session comes after what was sent to it.
        office.run("ask", "clerk/boss~s1", "anything else?", code=1)
        assert [letter["id"] for letter in office.json("dead", "list")] == [new]


def test_discarded_ones_are_gone_for_good(office: Person) -> None:
    first, second = tell(office, "s1", "s2")
    done = office.run("dead", "discard", first["id"], first["id"])
    assert done.stdout == f"{first['id']} is discarded\n"
    assert office.json("dead", "discard", "--all", "--agent", "clerk") == [{"id": second["id"], "discarded": True}]
    assert office.run("dead", "discard", "--all").stderr == "there are no dead letters\n"


def test_a_person_is_asked_before_anything_is_discarded(office: Person) -> None:
    tell(office, "s1")
    with office.terminal("dead", "discard", "--all") as child:
        child.expect_exact("Discard 1 dead letter for good? [y/N] ")
        child.sendline("")
        child.expect_exact("nothing is discarded")
    assert len(office.json("dead", "list")) == 1
    with office.terminal("dead", "discard", "--all", "--yes") as child:
        child.expect_exact("is discarded")
        child.expect(pexpect.EOF)
    assert office.json("dead", "list") == []


def test_what_is_meant_must_be_said(office: Person) -> None:
    tell(office, "s1")
    for words in (["redrive"], ["discard"], ["redrive", "env_1", "--all"], ["redrive", "env_1", "--agent", "clerk"]):
        assert "say which" in office.run("dead", *words, code=2).stderr
    unknown = office.run("dead", "show", "env_1x", code=2).stderr
    assert 'there is no dead letter "env_1x"; those that rest: env_1' in unknown
    assert 'there is no dead letter ""' in office.run("dead", "discard", "", code=2).stderr
    office.run("ask", "boss/s2", "more")
    assert 'several dead letters begin with "env_"' in office.run("dead", "show", "env_", code=2).stderr
