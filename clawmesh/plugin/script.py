"""What a plugin file says of its own needs, as PEP 723 lays it down."""

from __future__ import annotations

import tomli
from msgspec import Struct

from clawmesh.errors import PluginError
from clawmesh.plugin.importer import decode
from clawmesh.plugin.source import INIT, Snapshot, Source

START = "# /// script"
END = "# ///"


class Script(Struct, frozen=True):
    """The `script` block: requirements as PEP 508 writes them, and the versions of Python as PEP 440 does."""

    dependencies: tuple[str, ...] = ()
    requires_python: str = ""


def script(source: Source, snapshot: Snapshot) -> Script:
    """Read the block of a plugin's main file; one without a block needs nothing.

    Raises:
        PluginError: the block is not as PEP 723 says.
    """
    text = decode(snapshot.files[INIT if source.package else source.path.name], source)
    block = _block(text.split("\n"), source)
    try:
        table = tomli.loads(block)
    except tomli.TOMLDecodeError as error:
        raise _broken(source, str(error)) from error
    dependencies = table.get("dependencies", [])
    if not isinstance(dependencies, list) or not all(isinstance(each, str) for each in dependencies):
        raise _broken(source, f"dependencies is {dependencies!r}, expected a list of strings")
    python = table.get("requires-python", "")
    if not isinstance(python, str):
        raise _broken(source, f"requires-python is {python!r}, expected a string")
    return Script(tuple(dependencies), python)


def _block(lines: list[str], source: Source) -> str:
    starts = [index for index, line in enumerate(lines) if line.rstrip() == START]
    if not starts:
        return ""
    if len(starts) > 1:
        raise _broken(source, f"it begins twice, in lines {starts[0] + 1} and {starts[1] + 1}")
    begin = end = starts[0] + 1
    while end < len(lines) and (lines[end].rstrip() == "#" or lines[end].startswith("# ")):
        end += 1
    closing = [index for index in range(begin, end) if lines[index].rstrip() == END]
    if not closing:
        raise _broken(source, f"it begins in line {begin} and has no end; expected a line `{END}`")
    return "\n".join(line[2:] for line in lines[begin : closing[-1]])


def _broken(source: Source, reason: str) -> PluginError:
    return PluginError(f"{source.main}: the `{START}` block is wrong: {reason}", plugin=source.name)
