"""Mailboxes: what waits for one session, in order, within a bound."""

from __future__ import annotations

from asyncio import Future
from collections import deque

from clawmesh.mesh.delivery import Delivery


class Mailbox:
    """A bounded FIFO of deliveries. `active` says that a pump works on it; senders wait in `waiting` for room."""

    __slots__ = ("active", "bound", "queue", "waiting")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.queue: deque[Delivery] = deque()
        self.waiting: deque[Future[None]] = deque()
        self.active = False

    @property
    def full(self) -> bool:
        return len(self.queue) >= self.bound

    @property
    def idle(self) -> bool:
        return not (self.active or self.queue or self.waiting)

    def take(self) -> Delivery:
        """Remove the oldest delivery and let the first waiting sender know that there is room."""
        delivery = self.queue.popleft()
        while self.waiting:
            room = self.waiting.popleft()
            if not room.done():
                room.set_result(None)
                break
        return delivery
