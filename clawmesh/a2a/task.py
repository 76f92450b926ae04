"""A message in the mesh as a task: its id is the envelope's, its context the session, its state what the journal says.

Source: A2A specification 1.0, sections 3.4 "Multi-Turn Interactions" and 4.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from clawmesh.a2a.content import said
from clawmesh.a2a.mesh import Holder
from clawmesh.a2a.values import Artifact, Message, Part, Role, State, Status, Task
from clawmesh.agent.story import PENDING, Account
from clawmesh.errors import ClawmeshError, RefusedError, WithdrawnError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Ending, Outcome

KEY = "a2a:"
"""What stands before a client's message id in the idempotency key that it becomes (section 3.3.1)."""
ANSWER = "answer"
"""The artifact that an agent's answer is; it is the only one of its task."""


def is_task(account: Account, agent: str, holder: Holder) -> bool:
    """Whether a message is a task of an agent that the holder may know of: one that came from outside, and is theirs.

    Their sessions have names of their own, so that nobody learns of anybody else's (section 13.1).
    """
    address = Address.parse(account.envelope.to)
    # The sender of a message from inside is an address, which a name for the outside never is.
    return address.agent == agent and "/" not in account.envelope.sender and holder.owns(address)


def state_of(account: Account, *, first: bool) -> State:
    """Return a task's state; `first` says that nothing in its session is before it."""
    outcome = account.outcome
    if outcome is None:
        return State.WORKING if first or account.steps or account.resumed else State.SUBMITTED
    return ended(outcome.outcome())


def ended(outcome: Outcome) -> State:
    """Return the state in which a task ends."""
    if outcome.ending is Ending.ANSWERED:
        return State.COMPLETED
    if isinstance(outcome.error, WithdrawnError):
        return State.CANCELED
    return State.REJECTED if isinstance(outcome.error, RefusedError) else State.FAILED


def updated(account: Account) -> float:
    """Return when a task's state was last another, in seconds since 1970."""
    return account.ended or max(account.accepted, *account.resumed, *(step.at for step in account.steps), 0.0)


def status_of(state: State, at: float, *, task: str, context: str, error: ClawmeshError | None = None) -> Status:
    """Return a status; why a task failed is said in its message."""
    message = None
    if error is not None:
        parts = (Part(text=str(error)),)
        message = Message(message_id=f"{task}.error", role=Role.AGENT, parts=parts, context_id=context, task_id=task)
    return Status(state=state, message=message, timestamp=iso(at))


def iso(at: float) -> str:
    """Return a time as the protocol writes it: UTC, with milliseconds (section 5.6.1)."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def task_of(account: Account, session: Sequence[Account], holder: Holder, *, artifacts: bool = True) -> Task:
    """Return a task; its history are the messages of its session up to it, as far as they are in `session`."""
    context = holder.outside(Address.parse(account.envelope.to))
    state = state_of(account, first=not _before(account, session, PENDING))
    outcome = account.outcome.outcome() if account.outcome else None
    error = outcome.error if outcome else None
    return Task(
        id=account.id,
        context_id=context,
        status=status_of(state, updated(account), task=account.id, context=context, error=error),
        artifacts=tuple(artifacts_of(outcome)) if artifacts and outcome else (),
        history=tuple(_history(account, session, context)),
    )


def artifacts_of(outcome: Outcome) -> Iterator[Artifact]:
    """Yield what a task has produced."""
    if outcome.message is not None:
        yield Artifact(artifact_id=ANSWER, name=ANSWER, parts=said(outcome.message.parts))


def shortened(task: Task, length: int | None) -> Task:
    """Return a task with so much history at most, all that there is where nothing is said (section 3.2.4)."""
    if length is None or len(task.history) <= length:
        return task
    history = task.history[-length:] if length else ()
    return Task(id=task.id, context_id=task.context_id, status=task.status, artifacts=task.artifacts, history=history)


def _before(account: Account, session: Iterable[Account], state: str) -> list[Account]:
    """Return what is before a message in its session and in that state."""
    return [
        each for each in session if each.state == state and (each.accepted, each.id) < (account.accepted, account.id)
    ]


def _history(account: Account, session: Sequence[Account], context: str) -> Iterator[Message]:
    for each in [*_before(account, session, Ending.ANSWERED.value), account]:
        asked = said(each.envelope.message.parts)
        key = each.envelope.key
        id = key.removeprefix(KEY) if key.startswith(KEY) else each.id
        yield Message(message_id=id, role=Role.USER, parts=asked, context_id=context, task_id=each.id)
        if each is not account and each.outcome and each.outcome.message:
            answer, id = said(each.outcome.message.parts), f"{each.id}.{ANSWER}"
            yield Message(message_id=id, role=Role.AGENT, parts=answer, context_id=context, task_id=each.id)
