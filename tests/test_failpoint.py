from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from clawmesh.errors import UsageError
from clawmesh.failpoint import Failpoints, planned


def test_strikes_once_at_the_planned_hit() -> None:
    struck: list[str] = []
    failpoints = Failpoints({"a": 2, "b": 1}, struck.append)
    for name in ("a", "c", "a", "a", "b", "a"):
        failpoints.hit(name)
    assert struck == ["a", "b"]


def test_a_plan_in_text_kills_the_process_at_once() -> None:
    program = (
        "from clawmesh.failpoint import planned\n"
        "failpoints = planned('other:9:kill,here:2:kill')\n"
        "for _ in range(3):\n"
        "    print('hit', flush=True)\n"
        "    failpoints.hit('here')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "hit\nhit\n"


def test_no_plan_is_no_failpoint() -> None:
    planned("").hit("anything")


@pytest.mark.parametrize("text", ["a", "a:1", "a:0:kill", "a:-1:kill", "a:x:kill", ":1:kill", "a:1:panic", "a:²:kill"])
def test_a_plan_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=f'CLAWMESH_FAILPOINT: "{text}" is no failpoint; expected NAME:COUNT:kill'):
        planned(text)
