"""`demo`, `agents` and `completion` with the built executable."""

from __future__ import annotations

import json
import subprocess

from tests.cli.conftest import Person


def test_the_demo_shows_a_team_at_work(person: Person) -> None:
    shown = person.run("demo", "--fast").stdout
    for line in (
        "you → lead  How much memory do 10,000 conversations need?",
        "lead → researcher  How much memory do 10,000 conversations need? Count 7 KB for each.",
        'researcher · calculator(expression="10000 * 7 / 1000") → 70',
        "writer → critic  We start small and add everything later.",
        "lead → you  We know that already:",
        "4 agents, 5 messages, 4 tool calls",
    ):
        assert line in shown


def test_the_demo_as_json_lines(person: Person) -> None:
    events = [json.loads(line) for line in person.run("demo", "--json").stdout.splitlines()]
    assert [event["to"].split("/")[0] for event in events if event["event"] == "message"] == [
        "lead",
        "researcher",
        "writer",
        "critic",
        "lead",
    ]
    assert {event["outcome"] for event in events if event["event"] == "outcome"} == {"answered"}
    assert events[-1]["event"] == "end"


def test_the_demo_s_configuration_can_be_saved_and_used(person: Person) -> None:
    (person.folder / "clawmesh.toml").write_text(person.run("demo", "--config").stdout)
    assert person.run("config", "check").stdout.startswith("ok: 4 agents")
    text = (person.folder / "clawmesh.toml").read_text().replace("pace = 0.04", "pace = 0.0")
    (person.folder / "clawmesh.toml").write_text(text)
    answer = person.run("ask", "lead", "How much memory do 10,000 conversations need?").stdout
    assert "10,000 conversations at 7 KB each need 70 MB." in answer


def test_agents_are_listed_and_shown(person: Person) -> None:
    assert [agent["name"] for agent in person.json("agents")] == ["echo", "teller", "slow", "short", "busy"]
    table = person.run("agents").stdout.splitlines()
    assert table[0].split() == ["AGENT", "BACKEND", "MODEL", "TOOLS", "PEERS", "DESCRIPTION"]
    assert table[2].split() == ["teller", "script", "teller", "calculator", "-", "tells", "the", "sum"]
    assert "tools        calculator" in person.run("agents", "teller").stdout
    assert 'there is no agent "tell"; did you mean "teller"?' in person.run("agents", "tell", code=2).stderr


def test_completion_is_a_script_that_the_shell_takes(person: Person) -> None:
    script = person.run("completion", "bash").stdout
    test = f"{script}\nCOMP_WORDS=(clawmesh plug); COMP_CWORD=1\n_shtab_clawmesh; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "--norc", "-c", test], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "plugins"
    for shell in ("zsh", "fish"):
        assert "plugins" in person.run("completion", shell).stdout


def test_the_version_and_the_help(person: Person) -> None:
    assert person.run("--version").stdout.startswith("clawmesh 0.")
    assert "clawmesh demo" in person.run("--help").stdout
    assert "usage: clawmesh ask" in person.run("ask", "--help").stdout
