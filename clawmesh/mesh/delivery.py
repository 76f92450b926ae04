"""One envelope in the hands of the engine: queued, handled, ended."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from clawmesh.abc.journal import Story
from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.mesh.observer import Observers
from clawmesh.messages import Emit, Piece

if TYPE_CHECKING:
    from clawmesh.mesh.route import Joint

# Of longer answers those who come back hear only the rest, and the whole at the end.
HEARD = 20_000


class Delivery:
    """Carries an envelope to its outcome.

    What comes with an idempotency key may be asked for again while it is under way: whoever does hears all its pieces.

    `story` is what the journal has of it from before a crash; `counted` says that one more try is noted there.
    `detached` says that it goes on when nobody waits. `accepted` and `recorded` are the journal's positions of its
    beginning and its end. `taken` is when it left the mailbox, in seconds since 1970. `scope` is there while a handler
    runs, `joint` where another process has it, which may know it already if `again`. `overdue` is called when the
    deadline has passed. `withdrawn` says that it is being stopped because its sender took it back.
    """

    __slots__ = (
        "_emits",
        "_heard",
        "_waiters",
        "accepted",
        "again",
        "counted",
        "detached",
        "envelope",
        "joint",
        "observers",
        "outcome",
        "overdue",
        "recorded",
        "scope",
        "slot",
        "story",
        "taken",
        "withdrawn",
    )

    def __init__(self, envelope: Envelope, emit: Emit | None = None, story: Story = ()) -> None:
        self.envelope = envelope
        self.outcome: Outcome | None = None
        self.scope: anyio.CancelScope | None = None
        self.joint: Joint | None = None
        self.overdue: Callable[[Delivery], None] | None = None
        self.observers: Observers | None = None
        self.again = False
        self.slot = 0
        self.story = story
        self.counted = bool(story)
        self.detached = bool(story) or bool(envelope.key) or envelope.kind == "send"
        self.accepted = 0
        self.recorded = 0
        self.taken = 0.0
        self.withdrawn = False
        self._emits: list[Emit] = [] if emit is None else [emit]
        self._heard: list[Piece] = []
        self._waiters: list[Future[Outcome]] = []

    def check(self, now: float) -> float:
        """Act on the deadline if it has passed; see `clawmesh.wheel.Timed`."""
        if self.outcome is not None:
            return 0.0
        if now < self.envelope.deadline:
            return self.envelope.deadline
        if self.overdue is not None:
            self.overdue(self)
        return 0.0

    def attach(self, emit: Emit | None) -> None:
        """Let one more hear the pieces, those first that are kept."""
        if emit is not None:
            for piece in self._heard:
                emit(piece)
            self._emits.append(emit)

    @property
    def streamed(self) -> bool:
        """Whether anybody hears the pieces."""
        return bool(self._emits)

    def emit(self, piece: Piece) -> None:
        if self.observers:
            self.observers.piece(self.envelope, piece)
        for emit in self._emits:
            emit(piece)
        if self.envelope.key and len(self._heard) < HEARD:
            self._heard.append(piece)

    def waiter(self) -> Future[Outcome]:
        """Return a future for the outcome, which is its caller's own; to be given back to `leave`."""
        waiter: Future[Outcome] = get_running_loop().create_future()
        # One that was resumed without its asker has one again.
        self.detached = bool(self.envelope.key) or self.envelope.kind == "send"
        if self.outcome is not None:
            waiter.set_result(self.outcome)
        self._waiters.append(waiter)
        return waiter

    def leave(self, waiter: Future[Outcome], emit: Emit | None) -> bool:
        """Wait no more; True if that leaves nobody for whom the work should go on."""
        self._waiters.remove(waiter)
        if emit in self._emits:
            self._emits.remove(emit)
        return self.outcome is None and not self._waiters and not self.detached

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for the outcome."""
        return bool(self._waiters)

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(outcome)
