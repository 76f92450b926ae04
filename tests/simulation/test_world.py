"""Hundreds of simulated worlds; `python -m tests.simulation.run --first SEED --seeds 1` runs one of them again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.simulation.world import World

PORTION = 25
SHOW = "from tests.simulation.world import World; print([World(seed).run().digest for seed in range(6)])"


@pytest.mark.parametrize("first", range(0, 250, PORTION))
def test_nothing_is_lost_and_nothing_is_done_twice(first: int) -> None:
    results = [World(seed).run() for seed in range(first, first + PORTION)]
    assert {result.seed: result.faults for result in results if result.faults} == {}
    assert sum(result.entries for result in results) > 1000
    assert sum(result.lives for result in results) > 2 * PORTION


def test_a_seed_is_the_same_world_in_every_process() -> None:
    shown = {
        subprocess.run(
            [sys.executable, "-c", SHOW],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashing in ("1", "2", "3")
    }
    assert len(shown) == 1
