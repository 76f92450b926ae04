from __future__ import annotations

import json
import re

from tests.cli.conftest import Person


def turn(person: Person, agent: str) -> str:
    person.run("ask", f"{agent}/s", "What is 6 * 7?")
    return str(person.json("why", f"{agent}/s")["messages"][-1]["id"])


def test_a_turn_is_replayed_from_the_journal(person: Person) -> None:
    id = turn(person, "teller")
    done = person.run("replay", id)
    assert done.stdout == "It is 42.\n"
    assert done.stderr == "clawmesh: replayed from the journal: it came to the same\n"


def test_json_holds_the_messages_of_the_turn(person: Person) -> None:
    replayed = json.loads(person.run("--json", "replay", turn(person, "teller")).stdout)
    assert replayed["same"] is True
    assert [message["role"] for message in replayed["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert replayed["report"]["tool_calls"] == 1


def test_the_model_and_the_tools_are_not_needed(person: Person) -> None:
    id = turn(person, "teller")
    config = person.folder / "clawmesh.toml"
    config.write_text(re.sub(r'say = "It is \{result\}."', 'fail = "quota"', config.read_text()))
    assert person.run("replay", id).stdout == "It is 42.\n"


def test_an_agent_that_would_act_differently_now_is_said_so(person: Person) -> None:
    id = turn(person, "teller")
    config = person.folder / "clawmesh.toml"
    config.write_text(config.read_text().replace("[agents.teller]\n", "[agents.teller]\nlimits = { steps = 1 }\n"))
    assert "no answer after 1 model calls" in person.run("replay", id, code=3).stderr


def test_a_turn_without_an_answer_cannot_be_replayed(person: Person) -> None:
    person.run("ask", "busy/s", "hi", code=1)
    id = person.json("why", "busy/s")["messages"][-1]["id"]
    assert f"{id} came to no answer" in person.run("replay", id, code=2).stderr


def test_an_id_that_is_not_known_is_said_so(person: Person) -> None:
    turn(person, "teller")
    assert 'there is no message "env_zzz"' in person.run("replay", "env_zzz", code=2).stderr


def test_a_session_is_no_turn(person: Person) -> None:
    turn(person, "teller")
    error = person.run("replay", "teller/s", code=2).stderr
    assert error == "clawmesh: teller/s is a session; 'clawmesh why teller/s' lists its messages\n"


def test_an_agent_that_is_gone_is_named_with_those_that_are_there(person: Person) -> None:
    id = turn(person, "teller")
    config = person.folder / "clawmesh.toml"
    config.write_text(config.read_text().replace("[agents.teller]", "[agents.counter]"))
    error = person.run("replay", id, code=2).stderr
    assert 'the agent "teller" of this turn is not in the configuration any more; there are busy, counter' in error
