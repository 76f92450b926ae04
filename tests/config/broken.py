"""Broken configurations with the messages that each must give, written down in `broken_*.txt`.

A case begins with `==== name`; the TOML follows; each line after `> ` is a problem, without the file's name in front.
"""

from __future__ import annotations

from pathlib import Path

import pytest

FILE = "clawmesh.toml"


def cases(name: str) -> list[object]:
    """Return the cases of one file as parameters (toml, messages)."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [_case(*chunk.split("\n", 1)) for chunk in text.split("==== ")[1:]]


def _case(title: str, body: str) -> object:
    lines = body.rstrip("\n").split("\n")
    first = next(index for index, line in enumerate(lines) if line.startswith("> "))
    messages = [f"{FILE}:{line.removeprefix('> ')}" for line in lines[first:]]
    return pytest.param("\n".join(lines[:first]) + "\n", messages, id=title)
