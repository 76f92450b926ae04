"""Bounds on connections, and who comes first when they are reached."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
import pytest

from clawmesh.errors import ConnectError, ConnectionLostError, TransportError, TransportTimeoutError
from clawmesh.http.dns import Address
from clawmesh.http.limits import Bounds, Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import Transport, open_transport
from clawmesh.wheel import NEVER
from tests.http.peer import OK, Peer, Recorder, Talk, repeats, serve

pytestmark = pytest.mark.anyio

ANSWERS = [
    (OK,),
    (OK + b"more",),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n", b"0\r\n\r\n"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",),
    (b"garbage\r\n\r\n",),
]


class Gate:
    """A server that answers when told to, and counts the requests it holds."""

    def __init__(self) -> None:
        self.order: list[bytes] = []
        self._turns, self._turn = anyio.create_memory_object_stream[None](100)
        self._news, self._new = anyio.create_memory_object_stream[None](100)

    async def script(self, talk: Talk) -> None:
        while True:
            request = await talk.request()
            self.order.append(request.split(b" ")[1])
            await self._news.send(None)
            await self._turn.receive()
            await talk.send(OK)

    async def asked(self, count: int = 1) -> None:
        for _ in range(count):
            await self._new.receive()

    def answer(self, count: int = 1) -> None:
        for _ in range(count):
            self._turns.send_nowait(None)

    def close(self) -> None:
        for stream in (self._turns, self._turn, self._news, self._new):
            stream.close()


@asynccontextmanager
async def gates(count: int, bounds: Bounds) -> AsyncIterator[tuple[Transport, list[Gate], list[Peer]]]:
    held = [Gate() for _ in range(count)]
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(serve(gate.script)) for gate in held]
        transport = await stack.enter_async_context(open_transport(bounds=bounds))
        yield transport, held, peers
    for gate in held:
        gate.close()


async def ask(transport: Transport, url: str, deadlines: Deadlines | None = None) -> None:
    recorder = Recorder()
    await transport.exchange(Target.parse(url), b"", recorder, deadlines or Deadlines())
    assert recorder.body == b"ok"


async def test_waiters_are_served_in_order() -> None:
    async with gates(1, Bounds(per_origin=2)) as (transport, [gate], [peer]), anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(ask, transport, f"{peer.url}/{number}")
            await anyio.wait_all_tasks_blocked()
        await gate.asked(2)
        for _ in range(6):
            gate.answer()
            await gate.asked()
        gate.answer(2)
    assert sorted(gate.order[:2]) == [b"/0", b"/1"]
    assert gate.order[2:] == [b"/2", b"/3", b"/4", b"/5", b"/6", b"/7"]
    assert len(peer.talks) == 2


async def test_waiting_has_a_deadline_and_the_next_in_line_is_still_served() -> None:
    async with gates(1, Bounds(per_origin=1)) as (transport, [gate], [peer]), anyio.create_task_group() as group:
        group.start_soon(ask, transport, f"{peer.url}/first")
        await gate.asked()
        with pytest.raises(TransportTimeoutError, match="no connection became free") as caught:
            await ask(transport, peer.url, Deadlines(wait=0.05))
        assert caught.value.phase == "wait"
        group.start_soon(ask, transport, f"{peer.url}/last")
        await anyio.wait_all_tasks_blocked()
        gate.answer(2)
    assert gate.order == [b"/first", b"/last"]


async def test_cancelled_waiters_lose_no_place() -> None:
    async with gates(1, Bounds(per_origin=1)) as (transport, [gate], [peer]), anyio.create_task_group() as group:
        group.start_soon(ask, transport, f"{peer.url}/first")
        await gate.asked()
        async with anyio.create_task_group() as waiting:
            for _ in range(5):
                waiting.start_soon(ask, transport, peer.url)
            await anyio.wait_all_tasks_blocked()
            waiting.cancel_scope.cancel()
        group.start_soon(ask, transport, f"{peer.url}/last")
        await anyio.wait_all_tasks_blocked()
        gate.answer(2)
    assert gate.order == [b"/first", b"/last"]


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
async def test_place_granted_to_one_who_is_cancelled_at_that_moment_is_passed_on(header: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + header + b"Content-Length: 2\r\n\r\nok"
    async with serve(repeats(answer)) as peer, open_transport(bounds=Bounds(per_origin=1)) as transport:
        first = asyncio.create_task(ask(transport, peer.url))
        await asyncio.sleep(0)
        second = asyncio.create_task(ask(transport, peer.url))
        first.add_done_callback(lambda _: second.cancel())
        await asyncio.wait([first, second])
        assert second.cancelled()
        await ask(transport, peer.url)


async def test_lost_connection_passes_its_place_on() -> None:
    async def script(talk: Talk) -> None:
        await talk.request()
        if len(peer.talks) > 1:
            await talk.send(OK)
        else:
            await waiting.wait()

    waiting = anyio.Event()
    bounds = Bounds(per_origin=1)
    async with serve(script) as peer, open_transport(bounds=bounds) as transport, anyio.create_task_group() as group:
        group.start_soon(lose, transport, peer.url)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(ask, transport, peer.url)
        await anyio.wait_all_tasks_blocked()
        waiting.set()


async def lose(transport: Transport, url: str) -> None:
    with pytest.raises(ConnectionLostError):
        await ask(transport, url)


async def test_failed_connection_passes_its_place_on() -> None:
    refused = 0

    async def resolve(host: str, port: int) -> list[Address]:
        nonlocal refused
        refused += 1
        await anyio.wait_all_tasks_blocked()
        raise ConnectError("refused by the test")

    async def fail() -> None:
        with pytest.raises(ConnectError, match="refused by the test"):
            await ask(transport, "http://a.example/")

    bounds = Bounds(per_origin=2)
    async with open_transport(bounds=bounds, resolve=resolve) as transport, anyio.create_task_group() as group:
        for _ in range(7):
            group.start_soon(fail)
    assert refused == 7


async def test_idle_connection_makes_room_for_another_origin() -> None:
    bounds = Bounds(connections=2)
    async with serve(repeats(OK)) as a, serve(repeats(OK)) as b, open_transport(bounds=bounds) as transport:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, transport, a.url)
            group.start_soon(ask, transport, a.url)
        await ask(transport, b.url)
        await ask(transport, b.url)
        assert (len(a.talks), len(b.talks)) == (2, 1)


async def test_who_waits_longest_comes_first_whatever_the_origin() -> None:
    async with gates(3, Bounds(connections=1)) as (transport, held, peers), anyio.create_task_group() as group:
        group.start_soon(ask, transport, peers[0].url)
        await held[0].asked()
        for number in (1, 2, 1):
            group.start_soon(ask, transport, peers[number].url)
            await anyio.wait_all_tasks_blocked()
        held[0].answer()
        await held[1].asked()
        held[1].answer()
        await held[2].asked()
        held[2].answer()
        await held[1].asked()
        held[1].answer()
    assert [len(gate.order) for gate in held] == [1, 2, 1]


async def test_thousand_requests_through_ten_connections() -> None:
    async with serve(repeats(OK)) as peer, open_transport(bounds=Bounds(per_origin=10)) as transport:
        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(ask, transport, peer.url)
        assert len(peer.talks) <= 10


@pytest.mark.parametrize("seed", range(3))
async def test_no_place_is_lost_whatever_happens(seed: int) -> None:
    """Cancel, reset, cut and delay at random; then all places must be there at once, and no more."""
    places, chance = 8, random.Random(seed)
    together = 0
    full = anyio.Event()

    async def script(talk: Talk) -> None:
        nonlocal together
        while True:
            request = await talk.request()
            if b"/together" in request:
                together += 1
                if together == places:
                    full.set()
                await full.wait()
            await talk.send(*chance.choice(ANSWERS) if b"/chaos" in request else (OK,))
            if b"/chaos" in request and chance.random() < 0.3:
                if chance.random() < 0.5:
                    talk.reset()
                return

    async def disturb() -> None:
        with suppress(TransportError), anyio.CancelScope() as scope:
            if chance.random() < 0.5:
                asyncio.get_running_loop().call_later(chance.random() * 0.02, scope.cancel)
            target = Target.parse(f"{peer.url}/chaos", method=chance.choice(["GET", "POST"]))
            await transport.exchange(target, b"", Recorder(), Deadlines(wait=0.5, head=0.5, silence=0.5))

    async with serve(script) as peer, open_transport(bounds=Bounds(per_origin=places)) as transport:
        async with anyio.create_task_group() as group:
            for _ in range(300):
                group.start_soon(disturb)
        async with anyio.create_task_group() as group:
            for _ in range(places):
                group.start_soon(ask, transport, f"{peer.url}/together")
        assert transport.connections <= places


async def test_dials_to_one_origin_are_bounded_and_hold_up_no_other() -> None:
    dialling: list[str] = []
    go = anyio.Event()

    async def resolve(host: str, port: int) -> list[Address]:
        if host == "slow.example":
            dialling.append(host)
            await go.wait()
        return [("127.0.0.1", port)]

    bounds = Bounds(dials=3)
    async with serve(repeats(OK)) as peer, open_transport(bounds=bounds, resolve=resolve) as transport:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(ask, transport, f"http://slow.example:{peer.port}/")
            await anyio.wait_all_tasks_blocked()
            await ask(transport, f"http://fast.example:{peer.port}/")
            assert len(dialling) == 3
            go.set()
        assert len(peer.talks) <= 11


async def test_connection_that_becomes_free_serves_one_who_waits_for_a_dial() -> None:
    never = anyio.Event()
    dials = 0

    async def resolve(host: str, port: int) -> list[Address]:
        nonlocal dials
        dials += 1
        if dials > 1:
            await never.wait()
        return [("127.0.0.1", port)]

    bounds = Bounds(dials=1)
    async with serve(repeats(OK)) as peer, open_transport(bounds=bounds, resolve=resolve) as transport:
        used = await transport.connect(Target.parse(peer.url).origin, Deadlines(), NEVER)
        async with anyio.create_task_group() as stuck:
            stuck.start_soon(ask, transport, peer.url)
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as group:
                group.start_soon(ask, transport, peer.url)
                await anyio.wait_all_tasks_blocked()
                exchange = transport.prepare(Recorder(), Deadlines(), NEVER)
                used.begin(Target.parse(peer.url).request(b""), exchange)
                await exchange.done
                transport.release(used)
            stuck.cancel_scope.cancel()
    assert dials == 2
