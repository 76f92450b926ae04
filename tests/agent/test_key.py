from __future__ import annotations

import re

import pytest

from clawmesh.agent.key import Keys
from clawmesh.messages import ToolCall


def keys(*calls: tuple[str, str], turn: str = "env_1") -> list[str]:
    made = Keys(turn)
    return [made.key(ToolCall(str(index), name, arguments)) for index, (name, arguments) in enumerate(calls)]


def test_a_repeat_in_another_order_makes_the_same_keys() -> None:
    pay, add, again = ("pay", '{"a": 1, "b": 2}'), ("add", "{}"), ("pay", ' {"b":2,"a":1}')
    first, second = keys(pay, add, again), keys(again, pay, add)
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in first)


def test_the_turn_the_tool_and_the_arguments_make_the_key() -> None:
    made = keys(("pay", '{"a":1}'), ("pay", '{"a":2}'), ("pray", '{"a":1}'))
    assert len({*made, *keys(("pay", '{"a":1}'), turn="env_2")}) == 4


def test_no_arguments_are_an_empty_object() -> None:
    assert keys(("pay", "")) == keys(("pay", "{}"))


@pytest.mark.parametrize("arguments", ["{", "[" * 100_000, '"\ud800"', "NaN"])
def test_what_is_not_json_has_a_key_too(arguments: str) -> None:
    assert keys(("pay", arguments)) == keys(("pay", arguments))
    assert keys(("pay", arguments)) != keys(("pay", "{}"))
