from __future__ import annotations

import os
import select

import pytest
from msgspec import to_builtins

from clawmesh.errors import PluginError
from clawmesh.plugin.check import VERB, Subject, check
from clawmesh.plugin.isolation import Bounds, run
from clawmesh.plugin.source import Source, read
from tests.plugin.workshop import Workshop

TOOL = """
import os, sys
def show() -> str:
    'Show.'
    return repr({expression})
def register_tools(): return {{'show': show}}
EXAMPLES = [{{'tool': 'show'}}]
"""


def seen(workshop: Workshop, expression: str) -> str:
    """Return what an expression gives inside the child."""
    path = workshop.write("mine.py", TOOL.format(expression=expression))
    environ = {**os.environ, "OPENAI_API_KEY": "secret", "LD_LIBRARY_PATH": "/x", "LANG": "C.UTF-8"}
    finding = check(Source.at(path), workshop.folders, environ)
    assert finding.reason == ""
    return finding.examples[0].found


def test_a_child_sees_little_of_the_environment(workshop: Workshop) -> None:
    found = seen(workshop, "sorted(os.environ)")
    assert "LANG" in found
    assert "OPENAI_API_KEY" not in found
    assert "LD_LIBRARY_PATH" not in found


def test_a_child_has_its_own_process_group_and_no_core(workshop: Workshop) -> None:
    found = seen(workshop, "(os.getpgid(0) == os.getpid(), __import__('resource').getrlimit(4))")
    assert found == "(True, (0, 0))"


def test_what_a_child_prints_is_kept_apart(workshop: Workshop) -> None:
    path = workshop.write("mine.py", "print('hello')\ndef before_tool(): pass")
    finding = check(Source.at(path), workshop.folders, os.environ)
    assert (finding.ok, finding.printed) == (True, "hello")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os\nos._exit(7)", "ended with code 7 and gave no answer"),
        ("import os\nos.kill(os.getpid(), 9)", "was killed by SIGKILL and gave no answer"),
        ("import sys\nprint('last words')\nsys.stdout.flush()\nimport os\nos.abort()", "it printed:\nlast words"),
    ],
)
def test_a_child_that_dies_is_told_about(workshop: Workshop, text: str, reason: str) -> None:
    path = workshop.write("mine.py", text)
    with pytest.raises(PluginError) as caught:
        check(Source.at(path), workshop.folders, os.environ)
    assert reason in str(caught.value)


def test_a_child_that_takes_too_long_is_killed_with_all_that_it_started(workshop: Workshop) -> None:
    note = workshop.root / "grandchild"
    path = workshop.write(
        "mine.py",
        f"""
        import os, signal
        if pid := os.fork():
            open({str(note)!r}, 'w').write(str(pid))
        signal.pause()
        """,
    )
    subject = Subject(str(path), "user", read(Source.at(path)).digest, str(workshop.root / "data"))
    with pytest.raises(PluginError, match="gave no answer within 5 s"):
        run(VERB, to_builtins(subject), bounds=Bounds(5.0), environ=os.environ, pass_on=())
    assert ended(int(note.read_text()))


def ended(pid: int) -> bool:
    """Wait until a process, which is no child of ours, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10)[0])
    finally:
        os.close(descriptor)


def test_memory_is_bounded(workshop: Workshop) -> None:
    path = workshop.write("mine.py", "x = bytearray(6 << 30)\ndef before_tool(): pass")
    finding = check(Source.at(path), workshop.folders, os.environ)
    assert finding.reason == "mine.py, line 1: MemoryError: "
