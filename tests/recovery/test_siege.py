"""The executable under fire: two hundred kills, and one at each failpoint."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.recovery.siege import besieged

KILLS = 100


def failpoints() -> Iterator[str]:
    """Yield the name of every failpoint that there is in the code."""
    for file in sorted((ROOT / "clawmesh").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(ast.Attribute(attr="hit"), [ast.Constant(str(name))]):
                    yield name


@pytest.mark.timeout(600)
def test_two_hundred_kills_lose_nothing_and_double_nothing(executable: Path, tmp_path: Path) -> None:
    """Two sites at once: one has one process each time, the other as many workers as it happens to have."""
    with ExitStack() as stack:
        sieges = [
            stack.enter_context(besieged(executable, tmp_path / f"{max(workers)}", seed=KILLS, workers=workers))
            for workers in ((1,), (2, 2, 2, 1, 3))
        ]

        async def main() -> list[list[str]]:
            return await asyncio.gather(*(siege.kill(KILLS) for siege in sieges))

        assert asyncio.run(main()) == [[], []]


def test_the_failpoints_are_found() -> None:
    assert {"journal.begin", "journal.commit", "journal.committed"} <= {*failpoints()}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("place", [*(f"{name}:1" for name in sorted({*failpoints()})), "journal.commit:50"])
def test_a_kill_at_each_failpoint(executable: Path, tmp_path: Path, place: str) -> None:
    with besieged(executable, tmp_path, seed=0) as siege:
        faults = asyncio.run(siege.kill_at(f"{place}:kill"))
    if faults is None:
        pytest.skip("it is not reached in a few seconds of service; the journal's own tests reach it")
    assert faults == []
