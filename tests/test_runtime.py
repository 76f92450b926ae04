"""How a process is set up, looked at in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from clawmesh.runtime import THRESHOLDS


def said(code: str) -> list[str]:
    """Return the words that a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_tune_sets_collection_and_raises_descriptors() -> None:
    code = """
import gc, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
from clawmesh.runtime import tune
tune()
print(*gc.get_threshold(), resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard)
"""
    assert said(code) == [*map(str, THRESHOLDS), "True"]


def test_settle_exempts_what_there_is() -> None:
    code = """
import gc
from clawmesh.runtime import settle
settle()
print(gc.get_freeze_count() > 1000)
"""
    assert said(code) == ["True"]


def test_what_young_collections_leave_is_collected_when_it_may_be_much() -> None:
    code = """
import gc, weakref
from clawmesh.runtime import PASSES, THRESHOLDS, collect, tune
tune()
class Knot: pass
knot = Knot()
knot.own, knot_there = knot, weakref.ref(knot)
gc.collect(0)
del knot
collect()
print(knot_there() is not None)
kept = [[] for _ in range(THRESHOLDS[0] * (PASSES + 1))]
print(knot_there() is not None)
collect()
print(knot_there() is None)
"""
    assert said(code) == ["True", "True", "True"]


def test_loop_is_uvloop_where_there_is_one() -> None:
    code = """
import anyio, asyncio
from clawmesh.runtime import loop_options
async def main():
    print(type(asyncio.get_running_loop()).__module__.partition(".")[0])
anyio.run(main, backend_options=loop_options())
"""
    assert said(code) == ["uvloop"]


def test_memory_is_told_where_no_descriptor_is_left() -> None:
    code = """
import os, resource
from clawmesh.runtime import resident
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    print(resident() > 1_000_000)
"""
    assert said(code) == ["True"]
