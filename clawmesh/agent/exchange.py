"""From the journal's story of an envelope back to what was said in its turn."""

from __future__ import annotations

from collections.abc import Iterator

from clawmesh.abc.journal import Kind, Story
from clawmesh.agent.key import Keys
from clawmesh.agent.record import Step, read_result, read_step
from clawmesh.agent.toolbox import failed
from clawmesh.agent.turn import RUNNING, not_run
from clawmesh.mesh.envelope import Ending
from clawmesh.mesh.record import read_accepted, read_ended
from clawmesh.messages import Message, ToolResult


def exchange(story: Story) -> list[Message]:
    """Return the messages that the turn added to its session's transcript; none where it came to no answer.

    One whose caller brought the history was in no session, and its messages are returned all the same.

    Raises:
        StorageError: an entry cannot be read.
    """
    ended = next((read_ended(entry.data) for entry in story if entry.kind is Kind.ENDED), None)
    if ended is None or ended.ending is not Ending.ANSWERED or ended.message is None:
        return []
    messages = [read_accepted(story[0].data).message, *_steps(story)]
    # An answer with calls, as of a model that refused in the middle, is the last step itself.
    return messages if ended.message.calls else [*messages, ended.message]


def remembered(story: Story) -> bool:
    """Whether the turn was one of its session: its caller did not bring the history. Raises as `exchange` does."""
    wishes = read_accepted(story[0].data).wishes
    return wishes is None or wishes.history is None


def _steps(story: Story) -> Iterator[Message]:
    keys = Keys(story[0].envelope)
    results = [read_result(entry.data) for entry in story if entry.kind is Kind.RESULT]
    known = {result.key: result.result for result in results}
    for entry in story:
        if entry.kind is Kind.STEP:
            step = read_step(entry.data)
            yield step.reply.message
            if given := _results(step, keys, known):
                yield Message("tool", given)
            if step.repair:
                yield Message.user(step.repair)


def _results(step: Step, keys: Keys, known: dict[str, ToolResult]) -> tuple[ToolResult, ...]:
    if step.reply.stop not in RUNNING:
        return not_run(step.reply)
    own = [call for call in step.reply.message.calls if call.id not in step.handed]
    return tuple(known.get(keys.key(call)) or failed(call, "no result is known") for call in own)
