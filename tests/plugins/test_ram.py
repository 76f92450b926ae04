from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from clawmesh.abc.context import Services
from clawmesh.abc.memory import Memory
from clawmesh.errors import ToolError
from clawmesh.testing import ManualClock, seeded_ids
from plugins.ram import ram

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


@pytest.fixture
def memory() -> Memory:
    return make()


def make(facts: int = 5) -> Memory:
    return ram(Services(NOWHERE, ManualClock(7.0), seeded_ids(), random.Random(0), Path()), facts=facts)


async def recalled(memory: Memory, query: str, scope: str = "a", limit: int = 10) -> list[str]:
    return [fact.text for fact in await memory.recall(scope, query, limit)]


async def test_a_fact_is_kept_with_its_time(memory: Memory) -> None:
    fact = await memory.remember("a", "Anna likes tea.")
    assert (fact.scope, fact.text, fact.at) == ("a", "Anna likes tea.", 7.0)
    assert await memory.recall("a", "tea", 1) == [fact]


async def test_the_best_match_comes_first_and_rare_words_count_more(memory: Memory) -> None:
    await memory.remember("a", "Anna likes tea")
    await memory.remember("a", "Anna likes Oslo")
    await memory.remember("a", "Bert has a boat")
    assert await recalled(memory, "what does ANNA know of Oslo?") == ["Anna likes Oslo", "Anna likes tea"]
    assert await recalled(memory, "anna boat") == ["Bert has a boat", "Anna likes Oslo", "Anna likes tea"]


async def test_the_newer_of_two_equal_facts_comes_first(memory: Memory) -> None:
    await memory.remember("a", "tea one")
    await memory.remember("a", "tea two")
    assert await recalled(memory, "tea") == ["tea two", "tea one"]
    assert await recalled(memory, "tea", limit=1) == ["tea two"]


async def test_what_shares_no_word_is_not_recalled(memory: Memory) -> None:
    await memory.remember("a", "tea")
    assert await recalled(memory, "coffee") == []
    assert await recalled(memory, "") == []


async def test_scopes_do_not_see_each_other(memory: Memory) -> None:
    fact = await memory.remember("a", "tea")
    assert await recalled(memory, "tea", scope="b") == []
    assert not await memory.forget("b", fact.id)
    assert await memory.forget("a", fact.id)
    assert not await memory.forget("a", fact.id)
    assert await recalled(memory, "tea") == []


async def test_the_oldest_fact_of_all_goes_for_a_new_one() -> None:
    memory = make(facts=2)
    await memory.remember("a", "tea one")
    await memory.remember("b", "tea two")
    await memory.remember("b", "tea three")
    assert await recalled(memory, "tea", scope="a") == []
    assert await recalled(memory, "tea", scope="b") == ["tea three", "tea two"]


async def test_a_fact_is_bounded(memory: Memory) -> None:
    with pytest.raises(ToolError, match="a fact may have 8000 characters; this one has 8001"):
        await memory.remember("a", "x" * 8001)
