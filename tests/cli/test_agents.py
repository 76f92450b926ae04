"""`clawmesh agents --stats` as a person uses it."""

from __future__ import annotations

from tests.cli.conftest import Person
from tests.cli.service import serving


def test_without_a_process_only_the_disk_is_told(person: Person) -> None:
    person.run("ask", "echo/s1", "hi")
    person.run("ask", "echo/s2", "hi")
    known = person.json("agents", "--stats")
    assert (known["running"], known["processes"]) == (False, [])
    assert known["journal_bytes"] > 0
    echo = next(agent for agent in known["agents"] if agent["name"] == "echo")
    assert (echo["sessions"], echo["hibernated"], echo["warm"], echo["active"]) == (2, 2, 0, 0)
    assert echo["disk_bytes"] > 0
    told = person.run("agents", "--stats").stdout
    assert "not running: no session is in memory" in told
    assert "5 agents" in told


def test_with_one_its_memory_too(person: Person) -> None:
    with serving(person):
        person.run("ask", "echo/s1", "hi")
        process = person.start("ask", "slow/s1", "hi")
        known = person.json("agents", "--stats")
        while not any(agent["active"] for agent in known["agents"]):
            known = person.json("agents", "--stats")
        agents = {agent["name"]: agent for agent in known["agents"]}
        assert agents["slow"]["active"] == 1
        assert (agents["echo"]["warm"], agents["echo"]["hibernated"]) == (1, 0)
        assert agents["echo"]["memory_bytes"] > 0
        assert all(worker["rss"] > 1024**2 for worker in known["processes"])
        told = person.run("agents", "echo", "--stats").stdout
        assert "worker 0 (process" in told
        assert "agents" not in told
        process.kill()
        process.communicate()


def test_one_that_is_not_there_is_named(person: Person) -> None:
    assert 'did you mean "echo"?' in person.run("agents", "ecko", "--stats", code=2).stderr


def test_agents_that_the_configuration_has_no_more_are_still_counted(person: Person) -> None:
    person.run("ask", "echo/s1", "hi")
    text = (person.folder / "clawmesh.toml").read_text()
    (person.folder / "clawmesh.toml").write_text(text.replace("[agents.echo]", "[agents.other]"))
    assert {"other": 0, "echo": 1}.items() <= {
        agent["name"]: agent["sessions"] for agent in person.json("agents", "--stats")["agents"]
    }.items()
