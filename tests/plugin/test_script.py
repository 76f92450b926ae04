from __future__ import annotations

from pathlib import Path

import pytest

from clawmesh.errors import PluginError
from clawmesh.plugin.script import Script, script
from clawmesh.plugin.source import Snapshot, Source

SOURCE = Source.at(Path("/p/mine.py"))


def read(text: str) -> Script:
    return script(SOURCE, Snapshot({"mine.py": text.encode()}, ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Script()),
        ("# /// other\n# x = 1\n# ///\n", Script()),
        ("    # /// script\n", Script()),
        ("# /// script\n# ///\n", Script()),
        ('# /// script\n# dependencies = ["a>=1", "b"]\n# ///\n', Script(("a>=1", "b"))),
        ('#!/x\n"""Doc."""\n\n# /// script\n# requires-python = ">=3.11"\n#\n# ///\nx = 1', Script((), ">=3.11")),
        ('# /// script\n# dependencies = [\n#   "a",\n# ]\n# [tool.x]\n# y = 1\n# ///\n', Script(("a",))),
        ('# /// script\r\n# dependencies = ["a"]\r\n# ///\r\n', Script(("a",))),
        ('# /// script\n# dependencies = ["a"]\n# # a comment\n# ///\n# more\n# ///\n', None),
    ],
)
def test_the_block_is_read_as_the_standard_says(text: str, expected: Script | None) -> None:
    if expected is None:
        # The last closing line of an unbroken comment counts, so that "///" may stand inside.
        with pytest.raises(PluginError, match="block is wrong"):
            read(text)
    else:
        assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# /// script\n# dependencies = [\n", "it begins in line 1 and has no end; expected a line `# ///`"),
        ("# /// script\n# ///\nx\n# /// script\n# ///", "it begins twice, in lines 1 and 4"),
        ("# /// script\n# dependencies = [\n# ///\n", "Invalid value (at end of document)"),
        ("# /// script\n# dependencies = 'a'\n# ///\n", "dependencies is 'a', expected a list of strings"),
        ("# /// script\n# dependencies = [1]\n# ///\n", "dependencies is [1], expected a list of strings"),
        ("# /// script\n# requires-python = 3\n# ///\n", "requires-python is 3, expected a string"),
    ],
)
def test_a_wrong_block_is_named(text: str, reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        read(text)
    assert str(caught.value) == f"/p/mine.py: the `# /// script` block is wrong: {reason}"


def test_a_package_says_it_in_its_main_file() -> None:
    files = {"__init__.py": b'# /// script\n# dependencies = ["a"]\n# ///\n', "other.py": b""}
    assert script(Source.at(Path("/p/pack")), Snapshot(files, "")) == Script(("a",))
