"""Pumps: pooled tasks that empty mailboxes."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context

from anyio.abc import TaskGroup

from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.gate import Gate
from clawmesh.mesh.mailbox import Mailbox

# A parked pump holds about a kilobyte; making a new one costs as much time as a message.
PARKED = 4096


class Pumps:
    """Lends a task to a session from its first envelope until its mailbox is empty.

    `deliver` handles one delivery and never raises but to end the task; `idle` hears of a mailbox that is empty.
    """

    def __init__(
        self,
        deliver: Callable[[Delivery], Awaitable[None]],
        idle: Callable[[Address, Mailbox], None],
        gate: Gate,
    ) -> None:
        self._deliver = deliver
        self._idle = idle
        self._gate = gate
        self._parked: list[Future[tuple[Address, Mailbox]]] = []
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
        mailbox.active = True
        self._gate.activated()
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
        while True:
            self._gate.taken()
            while mailbox.queue:
                await self._deliver(mailbox.take())
            mailbox.active = False
            self._idle(address, mailbox)
            # What one handler left in context variables is not for the next one to see.
            if len(self._parked) >= PARKED or copy_context() != clean:
                return
            work: Future[tuple[Address, Mailbox]] = get_running_loop().create_future()
            self._parked.append(work)
            address, mailbox = await work
