from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawmesh.config.document import DEPTH, Library
from clawmesh.config.load import load
from clawmesh.errors import ConfigError

BACKEND = '[backends.local]\ntype = "openai"\n'


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files by their relative paths, and return the main one."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "clawmesh.toml"


def problems(file: Path) -> list[str]:
    """Return the problems of a configuration, the folder's name left out."""
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    return [str(problem).replace(f"{file.parent}/", "") for problem in caught.value.problems]


def agent(name: str) -> str:
    return f'[agents.{name}]\nmodel = "m"\n'


def test_included_files_belong_to_the_configuration(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {
            "clawmesh.toml": 'include = ["more.toml", "teams/*.toml"]\n' + BACKEND + agent("a"),
            "more.toml": 'include = "deep/er.toml"\n' + agent("b"),
            "deep/er.toml": agent("c"),
            "teams/one.toml": agent("d"),
            "teams/two.toml": agent("e"),
            "teams/readme.md": "not TOML",
        },
    )
    config = load(file, {})
    assert sorted(config.agents) == ["a", "b", "c", "d", "e"]
    names = [str(path.relative_to(tmp_path)) for path in config.files]
    assert names == ["clawmesh.toml", "more.toml", "deep/er.toml", "teams/one.toml", "teams/two.toml"]


def test_a_pattern_does_not_mean_the_file_itself(tmp_path: Path) -> None:
    file = write(tmp_path, {"clawmesh.toml": 'include = "*.toml"\n' + BACKEND, "a.toml": agent("a")})
    assert list(load(file, {}).agents) == ["a"]


def test_the_folder_beside_it_belongs_to_the_configuration(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {
            "clawmesh.toml": BACKEND,
            "agents.d/b.toml": agent("b"),
            "agents.d/team/a.toml": agent("a"),
            "agents.d/.hidden.toml": "broken",
            "agents.d/..data/a.toml": agent("a"),
            "agents.d/b.toml~": "broken",
        },
    )
    assert list(load(file, {}).agents) == ["b", "a"]


def test_a_file_of_the_folder_may_be_included_by_name(tmp_path: Path) -> None:
    file = write(tmp_path, {"clawmesh.toml": 'include = "agents.d/*"\n' + BACKEND, "agents.d/a.toml": agent("a")})
    assert list(load(file, {}).agents) == ["a"]


def test_defaults_reach_into_included_files_which_may_have_their_own(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {
            "clawmesh.toml": 'include = "team.toml"\n[defaults]\nmodel = "m"\ntools = ["x"]\n'
            + "[defaults.limits]\nsteps = 2\n"
            + BACKEND
            + "[agents.a]\n",
            "team.toml": '[defaults]\nmodel = "n"\n[defaults.limits]\ntokens = 5\n[agents.b]\n',
            "agents.d/c.toml": "[agents.c]\nlimits = { tokens = 7 }\n",
        },
    )
    agents = load(file, {}).agents
    assert [(agent.model, agent.limits.steps, agent.limits.tokens) for agent in agents.values()] == [
        ("m", 2, None),
        ("n", 2, 5),
        ("m", 2, 7),
    ]
    assert all(agent.tools == ("x",) for agent in agents.values())


def test_names_defined_in_two_files_are_both_placed(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {
            "clawmesh.toml": 'include = "more.toml"\n' + BACKEND + "[mesh]\nhops = 3\n" + agent("a"),
            "more.toml": "\n" + agent("a") + BACKEND + "[mesh]\nhops = 4\n",
        },
    )
    assert [line.replace(f"{tmp_path}/", "") for line in problems(file)] == [
        "more.toml:2: agents.a: defined twice, first at clawmesh.toml:6",
        "more.toml:4: backends.local: defined twice, first at clawmesh.toml:2",
        "more.toml:6: mesh: defined twice, first at clawmesh.toml:4",
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"a.toml": 'include = "clawmesh.toml"\n'},
            "the files include each other: clawmesh.toml → a.toml → clawmesh.toml",
        ),
        ({"a.toml": 'include = "a.toml"\n'}, "the files include each other: a.toml → a.toml"),
        (
            {"a.toml": 'include = ["b.toml", "c/../b.toml"]\n', "b.toml": "", "c/d.toml": ""},
            "c/../b.toml is included twice, first by a.toml",
        ),
        (
            {"a.toml": 'include = "tems.toml"\n', "teams.toml": ""},
            'there is no file "tems.toml" in {}; did you mean "teams.toml"?',
        ),
        ({"a.toml": 'include = "x/*.toml"\n'}, '"x/*.toml" matches no file in {}'),
        ({"a.toml": "include = 3\n"}, "found 3 (integer), expected a string or a list of strings"),
    ],
    ids=["ring", "itself", "twice", "missing", "no match", "type"],
)
def test_an_include_that_cannot_be_is_explained(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    file = write(tmp_path, {"clawmesh.toml": 'include = "a.toml"\n', **files})
    assert problems(file) == [f"a.toml:1: include: {expected.format(tmp_path)}"]


def test_includes_end_somewhere(tmp_path: Path) -> None:
    chain = {f"{number}.toml": f'include = "{number + 1}.toml"\n' for number in range(20)}
    file = write(tmp_path, {"clawmesh.toml": 'include = "0.toml"\n', **chain, "20.toml": ""})
    assert problems(file) == [
        f"{DEPTH - 2}.toml:1: include: {DEPTH - 1}.toml is included more than {DEPTH} files deep",
    ]


def test_with_one_file_broken_nothing_is_said_of_names_that_may_be_in_it(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {"clawmesh.toml": 'include = "b.toml"\n' + BACKEND + agent("a") + 'peers = ["b"]\n', "b.toml": "[agents.b\n"},
    )
    assert problems(file) == ["b.toml:1: not valid TOML: expected ']' at the end of a table declaration (column 10)"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[mesh]\nhops = \xff\n", "clawmesh.toml:2: is not UTF-8: found byte 0xff"),
        ("[mesh]\n".encode("utf-16"), "clawmesh.toml: is UTF-16, expected UTF-8"),
        (b"x" * (64 * 2**20 + 1), "clawmesh.toml: is larger than 64 MiB"),
        (b"a = " + b"[" * 10_000, "clawmesh.toml: not valid TOML: lists or tables are nested too deeply"),
    ],
    ids=["bytes", "UTF-16", "size", "nesting"],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "clawmesh.toml").write_bytes(content)
    assert problems(tmp_path / "clawmesh.toml") == [expected]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clawmesh.toml").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert problems(tmp_path / "clawmesh.toml") == ["clawmesh.toml: is not a file"]
    assert problems(tmp_path / "pipe") == ["pipe: is not a file"]
    assert problems(tmp_path / "none") == ["none: cannot be read: No such file or directory"]


def test_a_byte_order_mark_and_foreign_line_ends_are_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "clawmesh.toml"
    file.write_bytes(b'\xef\xbb\xbf[backends.b]\r\n\r\n[agents.a]\r\nmodel = "m"\r\nsteps = 1\r\n')
    library = Library()
    library.read(file)
    assert library.problems == []
    assert problems(file)[0].startswith("clawmesh.toml:5: agents.a.steps: unknown key")


def test_a_number_too_long_for_python_is_a_problem_of_its_file(tmp_path: Path) -> None:
    file = write(tmp_path, {"clawmesh.toml": "a = " + "9" * 5000})
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(file, {})
