"""A turn run again from what the journal has of it: no model is asked, no tool is called, no network is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from clawmesh.abc.backend import Reply, Request
from clawmesh.abc.context import Context
from clawmesh.abc.journal import Kind, Story
from clawmesh.agent.exchange import exchange
from clawmesh.agent.hooks import Hooks
from clawmesh.agent.record import Record, read_step
from clawmesh.agent.schema import Schema
from clawmesh.agent.toolbox import Toolbox
from clawmesh.agent.turn import NONE, Mind, Turn
from clawmesh.config.model import AgentConfig
from clawmesh.errors import ReplyError, UsageError
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.record import read_accepted, read_ended
from clawmesh.messages import Emit, Message, Report, Text


class Replayed(Struct, frozen=True):
    """What came of it: the messages of the turn, and where they first differ from those of the journal, or ""."""

    messages: Sequence[Message]
    report: Report
    difference: str


class Tape:
    """A backend that says what was said before, in the same order."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = deque(replies)

    async def complete(self, request: Request, emit: Emit) -> Reply:
        if not self._replies:
            raise ReplyError("the turn goes on where it had ended: the journal has no more replies")
        reply = self._replies.popleft()
        for part in reply.message.parts:
            emit(part)
        return reply


async def replay(story: Story, config: AgentConfig, context: Context) -> Replayed:
    """Run a turn again as the agent is configured now; pieces go to `context.emit`.

    Raises:
        UsageError: the turn did not come to an answer.
        ClawmeshError: the agent as it is now does not come to an answer with the same replies.
    """
    before = exchange(story)
    if not before:
        raise UsageError(f"{story[0].envelope} came to no answer, so there is no run to replay")
    hooks = Hooks((), _nobody, context.services.clock)
    schema = Schema(config.output_schema) if config.output_schema else None
    mind = Mind(config, Tape(_replies(story)), Toolbox({}, config.limits, hooks), hooks, schema)
    results = [entry for entry in story if entry.kind is Kind.RESULT]
    clock = context.services.clock
    record = Record(MemoryJournal(clock), clock, story[0].envelope, results)
    accepted = read_accepted(story[0].data)
    turn = Turn(mind, context, (), accepted.message, record, accepted.wishes or NONE)
    _, report = await turn.run()
    return Replayed(turn.exchange, report, _difference(before, turn.exchange))


def _replies(story: Story) -> Sequence[Reply]:
    replies = [read_step(entry.data).reply for entry in story if entry.kind is Kind.STEP]
    ended = next(read_ended(entry.data) for entry in story if entry.kind is Kind.ENDED)
    report = ended.report or Report()
    if ended.message is None or ended.message.calls:
        return replies
    return [*replies, Reply(message=ended.message, stop="end", stop_detail=report.stop_detail, model=report.model)]


def _difference(before: Sequence[Message], now: Sequence[Message]) -> str:
    for number, (old, new) in enumerate(zip(before, now, strict=False), start=1):
        if old != new:
            return f"message {number} was {_said(old)}, and is {_said(new)}"
    if len(before) != len(now):
        return f"there were {len(before)} messages, and are {len(now)}"
    return ""


def _said(message: Message) -> str:
    parts = [part.text if isinstance(part, Text) else type(part).__name__ for part in message.parts]
    return f"{message.role}: {' '.join(parts)!r}"


def _nobody(_incident: object) -> None:
    """Hear nothing: there are no hooks."""
