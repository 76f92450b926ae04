from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from clawmesh.abc.backend import Reply, Request
from clawmesh.agent.hooks import Hook, Hooks, Incident
from clawmesh.errors import RefusedError
from clawmesh.messages import Message, Text, ToolCall, ToolResult
from clawmesh.testing import ManualClock

NOWHERE: Any = None
CALL = ToolCall("1", "clock")
RESULT = ToolResult("1", "clock", (Text("noon"),))
REQUEST = Request(model="m", messages=())
REPLY = Reply(message=Message.assistant("hi"), stop="end")


class Bench:
    """Hooks under test, the clock they are timed by, and what they report."""

    def __init__(self, *hooks: Hook) -> None:
        self.clock = ManualClock()
        self.incidents: list[Incident] = []
        self.hooks = Hooks(hooks, self.incidents.append, self.clock)


def hook(name: str, function: Callable[..., Any], *parameters: str, guard: bool = False) -> Hook:
    return Hook("mine", name, function, parameters, guard)


def raises(error: BaseException) -> Callable[..., Any]:
    def function(*values: Any) -> None:
        raise error

    return function


def test_each_hook_sees_what_the_one_before_made() -> None:
    bench = Bench(
        hook("before_tool", lambda call: replace(call, name=call.name + "1"), "call"),
        hook("before_tool", lambda call: None, "call"),
        hook("before_tool", lambda call: replace(call, name=call.name + "2"), "call"),
    )
    assert bench.hooks.before_tool(NOWHERE, CALL).name == "clock12"
    assert bench.incidents == []


def test_a_hook_gets_the_values_that_it_names_in_its_order() -> None:
    seen: list[Any] = []
    bench = Bench(
        hook("after_model", lambda *values: seen.append(values), "reply", "agent"),
        hook("after_tool", lambda *values: seen.append(values)),
        hook("before_model", lambda *values: seen.append(values), "request"),
    )
    assert bench.hooks.after_model("anna", REQUEST, REPLY) is REPLY
    assert bench.hooks.after_tool(NOWHERE, CALL, RESULT) is RESULT
    assert bench.hooks.before_model("anna", REQUEST) is REQUEST
    assert seen == [(REPLY, "anna"), (), (REQUEST,)]


def test_who_reviews_replies_is_known() -> None:
    assert Bench(hook("after_model", lambda: None)).hooks.reviews_models
    assert not Bench(hook("before_model", lambda: None)).hooks.reviews_models


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
def test_a_guard_that_fails_lets_nothing_pass(error: BaseException) -> None:
    bench = Bench(hook("before_tool", raises(error), guard=True))
    with pytest.raises(RefusedError, match="the guard before_tool of plugin mine failed, so nothing passes"):
        bench.hooks.before_tool(NOWHERE, CALL)
    assert [str(each) for each in bench.incidents] == [
        f"plugin mine: before_tool failed: {type(error).__name__}: {error}"
    ]


def test_any_other_hook_that_fails_changes_nothing() -> None:
    bench = Bench(hook("after_tool", raises(ValueError("no"))))
    assert bench.hooks.after_tool(NOWHERE, CALL, RESULT) is RESULT
    assert len(bench.incidents) == 1


def test_a_refusal_is_no_failure() -> None:
    bench = Bench(hook("after_tool", raises(RefusedError("not at night"))))
    with pytest.raises(RefusedError, match="not at night"):
        bench.hooks.after_tool(NOWHERE, CALL, RESULT)
    assert bench.incidents == []


def test_a_hook_that_returns_something_else_fails() -> None:
    bench = Bench(hook("before_tool", lambda: "yes", guard=True))
    with pytest.raises(RefusedError):
        bench.hooks.before_tool(NOWHERE, CALL)
    assert str(bench.incidents[0]) == (
        "plugin mine: before_tool failed: TypeError: returned str, expected ToolCall or None"
    )


def test_a_slow_hook_is_reported() -> None:
    bench = Bench(hook("before_tool", lambda: bench.clock.advance(0.25)))
    assert bench.hooks.before_tool(NOWHERE, CALL) is CALL
    assert [str(each) for each in bench.incidents] == [
        "plugin mine: before_tool has taken 0.25 s; the whole mesh waits for it"
    ]
