from __future__ import annotations

from pathlib import Path

from clawmesh.config.source import Place, Source, dotted

TEXT = """\
[defaults]
model = "m"
[defaults.limits]
steps = 3
[agents.a]
tools = [
  "x",
  1]
[agents.a.limits]
tokens = 3
"""
SOURCE = Source("dir/clawmesh.toml", TEXT)
DEFAULTS = Place(SOURCE, ("defaults",))
AGENT = Place(SOURCE, ("agents", "a"), DEFAULTS)


def test_a_place_says_where_it_is() -> None:
    assert (AGENT.file, AGENT.table, AGENT.line) == (Path("dir/clawmesh.toml"), "agents.a", 5)
    assert str(AGENT) == "dir/clawmesh.toml:5"
    assert repr(SOURCE) == "Source('dir/clawmesh.toml')"


def test_a_problem_stands_where_the_key_is_said() -> None:
    assert str(AGENT.problem("wrong", "tools")) == "dir/clawmesh.toml:6: agents.a.tools: wrong"
    assert str(AGENT.problem("wrong", "tools", 1)) == "dir/clawmesh.toml:8: agents.a.tools: item 2: wrong"
    assert str(AGENT.problem("wrong", "tools", 1, "key")) == "dir/clawmesh.toml:8: agents.a.tools: item 2: key: wrong"
    assert str(AGENT.problem("wrong", "model")) == "dir/clawmesh.toml:2: defaults.model: wrong"
    assert str(AGENT.problem("wrong", "limits", "steps")) == "dir/clawmesh.toml:4: defaults.limits.steps: wrong"
    assert str(AGENT.problem("wrong", "limits", "tokens")) == "dir/clawmesh.toml:10: agents.a.limits.tokens: wrong"
    assert str(AGENT.problem("missing", "backend")) == "dir/clawmesh.toml:5: agents.a.backend: missing"
    assert str(AGENT.problem("wrong")) == "dir/clawmesh.toml:5: agents.a: wrong"


def test_without_a_text_there_is_no_line() -> None:
    assert str(Place(Source("x"), ("tools", "a")).problem("wrong", "key")) == "x: tools.a.key: wrong"


def test_names_with_odd_characters_are_quoted() -> None:
    assert dotted(("agents", "a.b", 'say "x"')) == r'agents."a.b"."say \"x\""'
