"""Pumps: pooled tasks that empty mailboxes."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context

import anyio
from anyio.abc import TaskGroup

from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.gate import Gate
from clawmesh.mesh.mailbox import Mailbox

# A parked pump holds about a kilobyte; making a new one costs as much time as a message.
PARKED = 4096
# Sessions that get their pump in one turn of the loop. Most are done by the next turn, and their pumps serve others.
LENT = 64


class Pumps:
    """Lends a task to a session from its first envelope until its mailbox is empty.

    `deliver` handles one delivery within the pump's cancel scope, which it may cancel, and never raises but to end the
    task; `idle` hears of a mailbox that is empty.
    """

    def __init__(
        self,
        deliver: Callable[[Delivery, anyio.CancelScope], Awaitable[None]],
        idle: Callable[[Address, Mailbox], None],
        gate: Gate,
    ) -> None:
        self._deliver = deliver
        self._idle = idle
        self._gate = gate
        self._parked: list[Future[tuple[Address, Mailbox]]] = []
        self._ready: deque[tuple[Address, Mailbox]] = deque()
        self._left = LENT
        self._tasks: TaskGroup | None = None
        self._context = Context()

    def start(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._context = copy_context()

    def stop(self) -> None:
        self._tasks = None

    @property
    def running(self) -> bool:
        return self._tasks is not None

    def lend(self, address: Address, mailbox: Mailbox) -> None:
        """Give a session its pump, in this turn of the loop or in one of the next."""
        mailbox.active = True
        self._gate.activated()
        if self._left == LENT:
            get_running_loop().call_soon(self._turn)
        if self._left:
            self._left -= 1
            self._give(address, mailbox)
        else:
            self._ready.append((address, mailbox))

    def _turn(self) -> None:
        self._left = LENT
        if self._ready and self._tasks is not None:
            get_running_loop().call_soon(self._turn)
            while self._ready and self._left:
                self._left -= 1
                self._give(*self._ready.popleft())

    def _give(self, address: Address, mailbox: Mailbox) -> None:
        while self._parked:
            pump = self._parked.pop()
            if not pump.done():
                pump.set_result((address, mailbox))
                return
        assert self._tasks is not None  # or the envelope would not have been admitted
        # In the engine's own context: a task copies the one that it is made in, here that of whoever sends.
        self._context.copy().run(self._tasks.start_soon, self._pump, address, mailbox)

    async def _pump(self, address: Address, mailbox: Mailbox) -> None:
        clean = copy_context()
        self._gate.taken()
        while True:
            # It serves until a delivery is stopped: entering one takes a tenth of the time of a message.
            with anyio.CancelScope() as scope:
                while not scope.cancel_called:
                    if mailbox.queue:
                        await self._deliver(mailbox.take(), scope)
                        continue
                    mailbox.active = False
                    self._idle(address, mailbox)
                    # What one handler left in context variables is not for the next one to see.
                    if len(self._parked) >= PARKED or copy_context() != clean:
                        return
                    work: Future[tuple[Address, Mailbox]] = get_running_loop().create_future()
                    self._parked.append(work)
                    address, mailbox = await work
                    self._gate.taken()
