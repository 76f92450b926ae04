"""Turns that a crash has cut: what their record holds is not done again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from clawmesh.abc.context import Context, Services
from clawmesh.abc.journal import Entry, Kind, Snapshot
from clawmesh.abc.tool import Effect, tool
from clawmesh.agent.exchange import exchange
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.hooks import Hooks
from clawmesh.agent.record import Record, read_intent, read_result, read_step
from clawmesh.agent.schema import Schema
from clawmesh.agent.toolbox import Toolbox
from clawmesh.agent.turn import Mind, Turn
from clawmesh.config.model import AgentConfig, Limits
from clawmesh.config.source import Place, Source
from clawmesh.errors import StorageError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Envelope, Outcome
from clawmesh.mesh.record import pack_envelope, pack_outcome
from clawmesh.messages import Message, ToolCall
from clawmesh.plugin.example import NoPeers
from clawmesh.testing import ManualClock, RehearsedBackend, called, said, seeded_ids

pytestmark = pytest.mark.anyio
NOWHERE: Any = None
HOOKS = Hooks([], lambda _: None, ManualClock())
ENVELOPE = Envelope(
    id="env_1", sender="user", to=Address("a", "s"), kind="ask", message=Message.user("go"), deadline=2000.0
)


class World:
    """Counts what tools really do, by their keys."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def tools(self) -> dict[str, FunctionTool]:
        def act(name: str, effect: Effect) -> FunctionTool:
            @tool(effect=effect)
            async def work(context: Context, what: str = "") -> str:
                """Work."""
                self.done.append((name, context.key))
                return f"{name} {what}"

            return FunctionTool(work, name)

        return {effect.value: act(effect.value, effect) for effect in Effect}


def journal() -> MemoryJournal:
    kept = MemoryJournal(ManualClock())
    kept.append(Entry(Kind.ACCEPTED, "env_1", 0.0, pack_envelope(ENVELOPE, ManualClock()), "a/s"))
    return kept


async def make_turn(
    backend: RehearsedBackend, world: World, kept: MemoryJournal, schema: dict[str, Any] | None = None
) -> Turn:
    services = Services(NOWHERE, ManualClock(), seeded_ids(), random.Random(0), Path())
    place = Place(Source(Path("clawmesh.toml")), ("agents", "a"))
    config = AgentConfig(name="a", model="m", place=place, output_schema=schema)
    mind = Mind(config, backend, Toolbox(world.tools(), Limits(), HOOKS), HOOKS, Schema(schema) if schema else None)
    record = Record(kept, ManualClock(), "env_1", await kept.story("env_1"))
    context = Context("a/s", "env_1", NoPeers(), services, lambda _: None)
    return Turn(mind, context, [], ENVELOPE.message, record)


def until(kept: MemoryJournal, story: list[Entry], last: Kind) -> MemoryJournal:
    """Return a journal with the story as far as the first entry of a kind, as a crash then would leave it."""
    left = MemoryJournal(ManualClock())
    for entry in story:
        left.append(entry)
        if entry.kind is last:
            return left
    raise AssertionError(f"no {last} in the story")


CALL = called(ToolCall("c1", "pure"), ToolCall("c2", "idempotent"), ToolCall("c3", "unsafe", '{"what": "x"}'))


async def test_a_turn_writes_down_its_steps() -> None:
    kept, world = journal(), World()
    await (await make_turn(RehearsedBackend(CALL, said("done")), world, kept)).run()
    story = await kept.story("env_1")
    kinds = [entry.kind for entry in story]
    assert kinds[:2] == [Kind.ACCEPTED, Kind.STEP]
    assert sorted(kinds[2:]) == [*[Kind.INTENT] * 2, *[Kind.RESULT] * 3]
    assert read_step(story[1].data).reply.message.calls == CALL.message.calls
    assert {read_intent(entry.data).effect for entry in story if entry.kind is Kind.INTENT} == {
        Effect.IDEMPOTENT,
        Effect.UNSAFE,
    }
    results = [read_result(entry.data) for entry in story if entry.kind is Kind.RESULT]
    assert {(result.result.name, result.key) for result in results} == set(world.done)


async def test_a_reply_that_is_known_is_not_bought_again() -> None:
    kept, world = journal(), World()
    await (await make_turn(RehearsedBackend(CALL, said("done")), world, kept)).run()
    left = until(kept, list(await kept.story("env_1")), Kind.STEP)
    backend = RehearsedBackend(said("done"))
    message, report = await (await make_turn(backend, World(), left)).run()
    assert message.text == "done"
    assert (report.steps, report.tool_calls, report.usage.total_tokens) == (2, 3, 4)
    assert len(backend.requests) == 1
    assert backend.requests[0].messages[1] == CALL.message


async def test_after_the_intent_an_unsafe_call_is_never_made_again() -> None:
    kept, before = journal(), World()
    await (await make_turn(RehearsedBackend(CALL, said("done")), before, kept)).run()
    story = [entry for entry in await kept.story("env_1") if entry.kind is not Kind.RESULT]
    left, world = until(kept, [*story, Entry(Kind.TAKEN, "env_1", 0.0)], Kind.TAKEN), World()
    backend = RehearsedBackend(said("done"))
    await (await make_turn(backend, world, left)).run()
    assert {name for name, _ in world.done} == {"pure", "idempotent"}
    assert set(world.done) < set(before.done)  # under the same keys
    unknown = backend.requests[0].messages[2].parts[2]
    assert "its outcome is unknown" in unknown.text  # type: ignore[union-attr]
    assert unknown.failed  # type: ignore[union-attr]


async def test_results_that_are_known_are_given_without_a_call() -> None:
    kept = journal()
    await (await make_turn(RehearsedBackend(CALL, said("done")), World(), kept)).run()
    world, backend = World(), RehearsedBackend(said("again"))
    message, _ = await (await make_turn(backend, world, kept)).run()
    assert (message.text, world.done) == ("again", [])
    assert [part.text for part in backend.requests[0].messages[2].parts] == ["pure ", "idempotent ", "unsafe x"]  # type: ignore[union-attr]


async def test_a_turn_resumed_after_every_entry_comes_to_the_same_transcript() -> None:
    schema = {"type": "object", "required": ["ok"]}
    lines = (CALL, said("no json"), called(ToolCall("c1", "unsafe", '{"what": "y"}')), said('{"ok": 1}'))
    kept, whole = journal(), World()
    turn = await make_turn(RehearsedBackend(*lines), whole, kept, schema)
    await turn.run()
    story = list(await kept.story("env_1"))
    for length in range(1, len(story) + 1):
        left = MemoryJournal(ManualClock())
        for entry in story[:length]:
            left.append(entry)
        steps = sum(entry.kind is Kind.STEP for entry in story[:length])
        world = World()
        again = await make_turn(RehearsedBackend(*lines[steps:]), world, left, schema)
        message, _ = await again.run()
        assert message.text == '{"ok": 1}'
        assert [each.text for each in again.exchange if each.role == "user"] == [
            each.text for each in turn.exchange if each.role == "user"
        ]
        assert {key for _, key in world.done} <= {key for _, key in whole.done}


async def test_a_story_tells_the_exchange() -> None:
    schema = {"type": "object", "required": ["ok"]}
    cut = called(ToolCall("c9", "unsafe"))
    lines = (CALL, said("no json"), type(cut)(message=cut.message, stop="length"), said('{"ok": 1}'))
    kept = journal()
    turn = await make_turn(RehearsedBackend(*lines), World(), kept, schema)
    message, report = await turn.run()
    kept.append(Entry(Kind.ENDED, "env_1", 0.0, pack_outcome(Outcome(Ending.ANSWERED, message, report))))
    assert exchange(await kept.story("env_1")) == turn.exchange


async def test_a_turn_without_an_answer_leaves_no_exchange() -> None:
    kept = journal()
    assert exchange(await kept.story("env_1")) == []
    kept.append(Entry(Kind.ENDED, "env_1", 0.0, pack_outcome(Outcome(Ending.FAILED, error=StorageError("full")))))
    assert exchange(await kept.story("env_1")) == []


async def test_without_a_place_for_the_intent_the_tool_is_not_called() -> None:
    class Full(MemoryJournal):
        def append(self, item: Entry | Snapshot) -> int:
            if isinstance(item, Entry) and item.kind is Kind.INTENT:
                raise StorageError("the disk is full")
            return super().append(item)

    kept, world = Full(ManualClock()), World()
    backend = RehearsedBackend(called(ToolCall("c1", "unsafe")), said("done"))
    await (await make_turn(backend, world, kept)).run()
    assert world.done == []
    assert backend.requests[1].messages[-1].parts[0].text == "the disk is full"  # type: ignore[union-attr]
