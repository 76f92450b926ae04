"""One task followed to its end: pieces of the answer become events as they come.

Source: A2A specification 1.0, sections 3.1.2, 3.1.6 and 3.5.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from clawmesh.a2a.content import TEXT
from clawmesh.a2a.task import ANSWER, artifacts_of, ended, iso, status_of
from clawmesh.a2a.values import Artifact, ArtifactUpdate, Event, Part, State, Status, StatusUpdate, Task
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.engine import Engine
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Piece, Retraction, Text, ToolCall

Tell: TypeAlias = Callable[[Event], None]
"""Takes an event at once, and never fails."""


class Feed:
    """Follows one delivery; `emit` is given to the engine where the delivery is made or taken."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._early: list[Piece] = []
        self._tell: Tell | None = None
        self._working = False
        self._said: list[str] = []
        self._id = self._context = ""

    def emit(self, piece: Piece) -> None:
        """Take a piece of the answer; those that come before anybody is told wait."""
        if self._tell is None:
            self._early.append(piece)
        else:
            self._take(piece, self._tell)

    async def follow(self, delivery: Delivery, task: Task, tell: Tell) -> None:
        """Tell the task as it is, then every change, until it has ended; raises as `Engine.settled` does."""
        self._id, self._context = task.id, task.context_id
        tell(Event(task=task))
        self._working = task.status.state is State.WORKING
        for piece in self._early:
            self._take(piece, tell)
        self._early.clear()
        self._tell = tell
        outcome = await self._engine.settled(delivery, self.emit)
        for event in closing(outcome, self._id, self._context, self._engine.clock.now(), "".join(self._said)):
            tell(event)

    def _take(self, piece: Piece, tell: Tell) -> None:
        if not self._working:
            self._working = True
            status = Status(state=State.WORKING, timestamp=iso(self._engine.clock.now()))
            tell(Event(status_update=StatusUpdate(task_id=self._id, context_id=self._context, status=status)))
        if isinstance(piece, Retraction | ToolCall):
            # What was said before a tool is called, or before a call starts again, is not the answer.
            self._said.clear()
        elif isinstance(piece, Text) and piece.text:
            tell(self._chunk(piece.text, append=bool(self._said)))
            self._said.append(piece.text)

    def _chunk(self, text: str, *, append: bool) -> Event:
        artifact = Artifact(artifact_id=ANSWER, name=ANSWER, parts=(Part(text=text, media_type=TEXT),))
        update = ArtifactUpdate(task_id=self._id, context_id=self._context, artifact=artifact, append=append)
        return Event(artifact_update=update)


def closing(outcome: Outcome, id: str, context: str, at: float, said: str = "") -> list[Event]:
    """Return the last events of a task: what of the answer was not `said` in pieces yet, then its state."""
    events = []
    for artifact in artifacts_of(outcome):
        # A client that has put the pieces together has it all, and need not be sent it again.
        whole = bool(said) and len(artifact.parts) == 1 and artifact.parts[0].text == said
        last = replace(artifact, parts=(Part(text="", media_type=TEXT),)) if whole else artifact
        update = ArtifactUpdate(task_id=id, context_id=context, artifact=last, append=whole, last_chunk=True)
        events.append(Event(artifact_update=update))
    status = status_of(ended(outcome), at, task=id, context=context, error=outcome.error)
    events.append(Event(status_update=StatusUpdate(task_id=id, context_id=context, status=status)))
    return events
