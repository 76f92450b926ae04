"""Mailboxes: what waits for one session, in order, within a bound."""

from __future__ import annotations

from asyncio import Future
from collections import deque

from clawmesh.errors import ClawmeshError
from clawmesh.mesh.delivery import Delivery


class Mailbox:
    """A bounded FIFO of deliveries.

    `active` says that a pump works on it. Senders for whom there is no room wait in line; one whose turn has come
    holds a place in `reserved` until it has put its delivery there, so that nobody can take it.
    """

    __slots__ = ("active", "bound", "queue", "reserved", "waiting")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.queue: deque[Delivery] = deque()
        self.waiting: deque[Future[None]] = deque()
        self.reserved = 0
        self.active = False

    @property
    def full(self) -> bool:
        """Whether a newcomer has to wait: there is no room, or others are before it."""
        return bool(self.waiting) or len(self.queue) + self.reserved >= self.bound

    @property
    def idle(self) -> bool:
        return not (self.active or self.queue or self.waiting or self.reserved)

    def take(self) -> Delivery:
        """Remove the oldest delivery and give its place to the first in line."""
        delivery = self.queue.popleft()
        self._pass_on()
        return delivery

    def drop(self, delivery: Delivery) -> None:
        """Remove a delivery that nobody waits for any more."""
        self.queue.remove(delivery)
        self._pass_on()

    def put(self, delivery: Delivery, *, reserved: bool) -> None:
        """Append a delivery, into the place that was reserved for it if there was one."""
        self.reserved -= reserved
        self.queue.append(delivery)

    def give_back(self) -> None:
        """Return a reserved place that is not wanted any more."""
        self.reserved -= 1
        self._pass_on()

    def close(self, error: ClawmeshError) -> None:
        """Let nobody wait any longer."""
        while self.waiting:
            room = self.waiting.popleft()
            if not room.done():
                room.set_exception(error)

    def _pass_on(self) -> None:
        while self.waiting:
            room = self.waiting.popleft()
            if not room.done():
                self.reserved += 1
                room.set_result(None)
                return
