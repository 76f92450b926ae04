"""Mailboxes: what waits for one session, in order, within a bound."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Iterator

import anyio

from clawmesh.errors import ClawmeshError, FullError
from clawmesh.mesh.address import Address
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

    def give_back(self, *, reserved: bool = True) -> None:
        """Return a place that is not wanted any more, if one was reserved."""
        if reserved:
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


class Mailboxes:
    """The mailboxes of all sessions that have anything under way."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._mailboxes: dict[Address, Mailbox] = {}

    def __contains__(self, address: Address) -> bool:
        return address in self._mailboxes

    def __iter__(self) -> Iterator[Address]:
        return iter(self._mailboxes)

    def get(self, address: Address) -> Mailbox:
        mailbox = self._mailboxes.get(address)
        if mailbox is None:
            mailbox = self._mailboxes[address] = Mailbox(self.bound)
        return mailbox

    def tidy(self, address: Address, mailbox: Mailbox) -> None:
        """Forget a mailbox of which nothing is left."""
        if mailbox.idle and self._mailboxes.get(address) is mailbox:
            del self._mailboxes[address]

    async def room(self, address: Address, seconds: float) -> None:
        """Wait in line for so many seconds at most; on return a place is reserved.

        Raises:
            FullError: there was none.
        """
        mailbox = self.get(address)
        room: Future[None] = get_running_loop().create_future()
        mailbox.waiting.append(room)
        came = False
        try:
            with anyio.move_on_after(seconds):
                await room
                came = True
        finally:
            if not came:
                self._give_up(mailbox, room, address)
        if not came:
            raise FullError(f"the mailbox of {address} stayed full ({mailbox.bound} messages) until the deadline")

    def close(self, error: ClawmeshError) -> Iterator[Delivery]:
        """Let nobody wait any longer, and yield what no pump will take any more."""
        for mailbox in self._mailboxes.values():
            mailbox.close(error)
            while mailbox.queue:
                yield mailbox.queue.popleft()

    def _give_up(self, mailbox: Mailbox, room: Future[None], address: Address) -> None:
        if room in mailbox.waiting:
            mailbox.waiting.remove(room)
        elif room.done() and not room.cancelled() and room.exception() is None:
            mailbox.give_back()  # the turn came in the very moment of leaving
        self.tidy(address, mailbox)
