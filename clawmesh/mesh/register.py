"""What is under way in this process: by id, by idempotency key, and how much came of each cause."""

from __future__ import annotations

from asyncio import Future, get_running_loop, wait
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clawmesh.errors import BusyError
from clawmesh.mesh.cascade import Cascades
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Envelope


class Register:
    """Holds every delivery from its acceptance to its outcome."""

    def __init__(self, fanout: int) -> None:
        self.cascades = Cascades(fanout)
        self._live: dict[str, Delivery] = {}
        self._keys: dict[str, str] = {}
        self._empty: list[Future[None]] = []
        self._entering: dict[str, Future[None]] = {}

    def __len__(self) -> int:
        return len(self._live)

    def known(self, envelope: Envelope) -> Delivery | None:
        """Return the delivery of an envelope that came before, by its id or its key."""
        id = self._keys.get(scoped(envelope), envelope.id) if envelope.key else envelope.id
        return self._live.get(id)

    def find(self, id: str) -> Delivery | None:
        return self._live.get(id)

    @asynccontextmanager
    async def alone(self, envelope: Envelope, seconds: float) -> AsyncIterator[None]:
        """Let one at a time find out whether an envelope was here before, and enter it if not.

        Raises:
            BusyError: those before took longer than so many seconds.
        """
        name = scoped(envelope) if envelope.key else envelope.id
        while (before := self._entering.get(name)) is not None:
            done, _ = await wait([before], timeout=seconds)
            if not done:
                raise BusyError(f"the same message waits for room in the mailbox of {envelope.to} already")
        self._entering[name] = get_running_loop().create_future()
        try:
            yield
        finally:
            self._entering.pop(name).set_result(None)

    def enter(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        self._live[envelope.id] = delivery
        if envelope.key:
            self._keys[scoped(envelope)] = envelope.id
        self.cascades.add(envelope)

    def exit(self, envelope: Envelope) -> None:
        del self._live[envelope.id]
        # Sessions that come together from the journals of several workers may have brought one key twice.
        if envelope.key and self._keys.get(scoped(envelope)) == envelope.id:
            del self._keys[scoped(envelope)]
        self.cascades.remove(envelope)
        if not self._live:
            for waiter in self._empty:
                if not waiter.done():
                    waiter.set_result(None)
            self._empty.clear()

    async def empty(self) -> None:
        """Wait until nothing is under way."""
        if self._live:
            waiter: Future[None] = get_running_loop().create_future()
            self._empty.append(waiter)
            await waiter


def scoped(envelope: Envelope) -> str:
    """Return an idempotency key together with whose it is and for whom: all of that lives in one process."""
    return f"{envelope.sender} {envelope.to} {envelope.key}"
