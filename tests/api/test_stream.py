"""Events to one client, as fast as it takes them."""

from __future__ import annotations

import anyio
import pytest

from clawmesh.api.stream import EventSource
from clawmesh.server.request import Event, Scope
from clawmesh.server.stream import PING, WAITING_BYTES

pytestmark = pytest.mark.anyio

TOLD = b"id: 0.%d\nevent: x\ndata: %d\n\n"


class Client:
    """Takes what is pushed while it has `room`, and what is sent; `heard` is all, in its order."""

    def __init__(self) -> None:
        self.room = True
        self.heard: list[bytes] = []
        self.pinged = anyio.Event()
        self.cut = anyio.Event()
        self.scope: Scope = {
            "extensions": {
                "clawmesh.push": self.push,
                "clawmesh.left": lambda call: None,
                "clawmesh.cut": self.cut.set,
            }
        }

    def push(self, data: bytes) -> bool:
        if self.room:
            self._hear(data)
        return self.room

    async def send(self, event: Event) -> None:
        if event.get("body"):
            self._hear(event["body"])

    def _hear(self, data: bytes) -> None:
        self.heard.append(data)
        if data == PING:
            self.pinged.set()


async def test_events_are_pushed_while_there_is_room_and_wait_their_turn_else() -> None:
    client = Client()
    source = EventSource(client.scope, client.send)

    async def work() -> None:
        for number in range(1, 6):
            client.room = number not in (2, 3)
            source.tell("x", number)

    await source.run(work)
    # The fourth finds room, and stays behind those that had none.
    told = [TOLD % (number, number) for number in range(1, 6)]
    assert client.heard == [told[0], b"".join(told[1:])]


async def test_who_hears_nothing_is_told_that_somebody_is_there() -> None:
    client = Client()
    source = EventSource(client.scope, client.send, ping=0.01)
    await source.run(client.pinged.wait)
    assert client.heard[0] == PING


async def test_who_does_not_read_is_cut_off_and_whoever_tells_goes_on() -> None:
    client = Client()
    client.room = False
    source = EventSource(client.scope, client.send)
    piece = "x" * (WAITING_BYTES // 2)
    source.tell("x", piece)
    assert not client.cut.is_set()
    for _ in range(3):
        source.tell("x", piece)
    assert client.cut.is_set()
    await source.run(anyio.sleep_forever)  # and ends at once, since nobody is there
    assert client.heard == []


async def test_one_event_may_be_larger_than_what_may_wait() -> None:
    client = Client()
    source = EventSource(client.scope, client.send)
    client.room = False

    async def work() -> None:
        source.tell("x", "x" * (2 * WAITING_BYTES))

    await source.run(work)
    assert not client.cut.is_set()
    assert len(client.heard[0]) > 2 * WAITING_BYTES
