"""What has become of a task elsewhere, put together from its events."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from clawmesh import messages
from clawmesh.a2a.values import TERMINAL, ArtifactUpdate, Event, Message, Part, State, Status, Task
from clawmesh.errors import FailedError, OversizeError, RefusedError
from clawmesh.messages import Emit, Image, Retraction, Text

# A task waits for us then, and a stream of it may end.
INTERRUPTED = frozenset({State.INPUT_REQUIRED, State.AUTH_REQUIRED})
BYTES = 64 * 1024 * 1024


class Tracker:
    """Takes events; `emit` hears the answer's text as it comes."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.task = ""
        self.context = ""
        self.state: State | None = None
        self._status: Message | None = None
        self._direct: Message | None = None
        self._artifacts: dict[str, list[Part]] = {}
        self._told = False
        self._size = 0

    @property
    def settled(self) -> bool:
        """Whether there is an answer, or will be none until something more is said."""
        return self._direct is not None or self.state in TERMINAL or self.state in INTERRUPTED

    def take(self, event: Event) -> bool:
        """Take an event; False where the task is settled by it.

        Raises:
            OversizeError: the answer is larger than any may be.
        """
        if event.task is not None:
            self.snapshot(event.task)
        elif event.message is not None:
            self._direct, self.context = event.message, event.message.context_id
        elif event.status_update is not None:
            self._know(event.status_update.task_id, event.status_update.context_id, event.status_update.status)
        elif event.artifact_update is not None:
            self._extend(event.artifact_update)
        return not self.settled

    def snapshot(self, task: Task) -> None:
        """Take a task as it is now."""
        self._know(task.id, task.context_id, task.status)
        if task.artifacts:
            known = self._artifacts
            self._artifacts = {each.artifact_id: [*each.parts] for each in task.artifacts}
            self._count(part for parts in self._artifacts.values() for part in parts)
            if known != self._artifacts:
                self._tell_again()

    def answer(self, name: str) -> messages.Message:
        """Return the answer of an agent of that name.

        Raises:
            RefusedError: it will not do that, or wants to be given a permission first.
            FailedError: it could not.
        """
        said = self._status.parts if self._status else ()
        reason = "".join(part.text or "" for part in said) or f"the task {self.task} is {self.state}"
        if self.state in (State.REJECTED, State.AUTH_REQUIRED):
            raise RefusedError(f"{name}: {reason}")
        if self.state in (State.FAILED, State.CANCELED):
            raise FailedError(f"{name}: {reason}")
        parts = [part for parts in self._artifacts.values() for part in parts]
        if self._direct is not None:
            parts = [*self._direct.parts]
        elif self.state is State.INPUT_REQUIRED or not parts:
            parts += said
        return messages.Message("assistant", tuple(_heard(parts)))

    def _know(self, task: str, context: str, status: Status) -> None:
        self.task, self.context = task or self.task, context or self.context
        self.state, self._status = status.state, status.message

    def _extend(self, update: ArtifactUpdate) -> None:
        id, parts = update.artifact.artifact_id, [*update.artifact.parts]
        self.task, self.context = update.task_id or self.task, update.context_id or self.context
        self._count(parts)
        if update.append:
            self._artifacts.setdefault(id, []).extend(parts)
            self._tell(parts)
            return
        replaced = id in self._artifacts
        self._artifacts[id] = parts
        if replaced:
            self._tell_again()
        else:
            self._tell(parts)

    def _count(self, parts: Iterable[Part]) -> None:
        self._size += sum(len(part.text or "") + len(part.raw or b"") for part in parts)
        if self._size > BYTES:
            raise OversizeError(f"the answer is larger than {BYTES} bytes")

    def _tell(self, parts: Iterable[Part]) -> None:
        for part in _heard(parts):
            if isinstance(part, Text) and part.text:
                self._told = True
                self._emit(part)

    def _tell_again(self) -> None:
        if self._told:
            self._emit(Retraction("the agent says it anew"))
        for parts in self._artifacts.values():
            self._tell(parts)


def _heard(parts: Iterable[Part]) -> list[Text | Image]:
    """Return the protocol's parts as ours; pieces of text that follow each other are one."""
    heard: list[Text | Image] = []
    for part in parts:
        one: Text | Image
        if part.text is not None:
            one = Text(part.text)
        elif part.media_type.startswith("image/"):
            one = Image(part.media_type, part.raw or b"", part.url or "")
        elif part.url is not None:
            one = Text(part.url)
        elif part.raw is not None:
            one = Text(f"[{part.filename or 'a file'}, {part.media_type or 'of no type'}, {len(part.raw)} bytes]")
        else:
            one = Text(msgspec.json.encode(part.data).decode())
        if isinstance(one, Text) and heard and isinstance(heard[-1], Text):
            heard[-1] = Text(heard[-1].text + one.text)
        else:
            heard.append(one)
    return heard
