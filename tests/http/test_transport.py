"""Whole exchanges: connections used again, shared, lost, and requests sent twice only when that is safe."""

from __future__ import annotations

import anyio
import pytest

from clawmesh.errors import ConnectError, ConnectionLostError, TransportError, TransportTimeoutError
from clawmesh.http.dns import Address
from clawmesh.http.limits import Bounds, Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import Transport, open_transport, repeatable
from clawmesh.wheel import NEVER
from tests.http.peer import OK, Recorder, Talk, repeats, serve

pytestmark = pytest.mark.anyio


async def ask(transport: Transport, url: str, *, method: str = "POST", deadlines: Deadlines | None = None) -> Recorder:
    recorder = Recorder()
    await transport.exchange(Target.parse(url, method=method), b"", recorder, deadlines or Deadlines())
    return recorder


async def test_request_reaches_the_server_whole() -> None:
    requests: list[bytes] = []

    async def script(talk: Talk) -> None:
        requests.append(await talk.answer(OK))

    body = b"x" * 3_000_000
    async with serve(script) as peer, open_transport() as transport:
        target = Target.parse(f"{peer.url}/v1", headers={"X-A": "1"})
        await transport.exchange(target, body, Recorder(), headers=[(b"X-B", b"2")])
    assert requests == [target.request(body, [(b"X-B", b"2")])]


async def test_requests_one_after_another_share_a_connection() -> None:
    async with serve(repeats(OK)) as peer, open_transport() as transport:
        for _ in range(5):
            assert (await ask(transport, peer.url)).body == b"ok"
        assert len(peer.talks) == 1


async def test_requests_at_once_have_connections_of_their_own() -> None:
    together = anyio.Event()

    async def script(talk: Talk) -> None:
        await talk.request()
        if len(peer.talks) == 5:
            together.set()
        await together.wait()
        await talk.send(OK)

    async with serve(script) as peer, open_transport() as transport, anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask, transport, peer.url)


@pytest.mark.parametrize(("method", "sent"), [("POST", 1), ("DELETE", 1), ("PUT", 1), ("GET", 2), ("HEAD", 2)])
async def test_request_lost_on_a_used_connection_is_sent_again_only_if_it_asks_for_no_effect(
    method: str, sent: int
) -> None:
    lost: list[bytes] = []

    async def script(talk: Talk) -> None:
        await talk.answer(OK)
        if len(peer.talks) == 1:
            lost.append(await talk.request())

    async with serve(script) as peer, open_transport() as transport:
        await ask(transport, peer.url)
        if sent == 1:
            with pytest.raises(ConnectionLostError, match="without an answer"):
                await ask(transport, peer.url, method=method)
        else:
            assert (await ask(transport, peer.url, method=method)).status == 200
        assert (len(peer.talks), len(lost)) == (sent, 1)


async def test_post_may_go_again_if_none_of_it_was_sent() -> None:
    closed = anyio.Event()

    async def script(talk: Talk) -> None:
        await talk.close()
        closed.set()

    async with serve(script) as peer, open_transport() as transport:
        origin = Target.parse(peer.url).origin
        connection = await transport.connect(origin, Deadlines(), NEVER)
        await closed.wait()
        await connection.closed()
        exchange = transport.prepare(Recorder(), Deadlines(), NEVER)
        connection.begin(Target.parse(peer.url).request(b"{}"), exchange)
        with pytest.raises(ConnectionLostError, match="before it was used"):
            await exchange.done
        assert repeatable("POST", exchange, connection)
        transport.release(connection)


async def test_request_lost_in_its_answer_is_not_sent_again() -> None:
    async def script(talk: Talk) -> None:
        await talk.answer(OK)
        await talk.answer(b"HTTP/1.1 ")

    async with serve(script) as peer, open_transport() as transport:
        await ask(transport, peer.url)
        with pytest.raises(ConnectionLostError, match="before the end of its header"):
            await ask(transport, peer.url, method="GET")
        assert len(peer.talks) == 1


async def test_request_lost_on_a_new_connection_is_not_sent_again() -> None:
    async def script(talk: Talk) -> None:
        await talk.request()

    async with serve(script) as peer, open_transport() as transport:
        with pytest.raises(ConnectionLostError, match="without an answer"):
            await ask(transport, peer.url, method="GET")
        assert len(peer.talks) == 1


@pytest.mark.parametrize("reset", [False, True])
async def test_connection_closed_while_idle_is_not_used(reset: bool) -> None:
    closed = anyio.Event()

    async def script(talk: Talk) -> None:
        await talk.answer(OK)
        if reset:
            talk.reset()
        await talk.close()
        closed.set()

    async with serve(script) as peer, open_transport() as transport:
        for count in range(1, 4):
            assert (await ask(transport, peer.url)).body == b"ok"
            await closed.wait()
            closed = anyio.Event()
            assert len(peer.talks) == count


@pytest.mark.parametrize("keep", [b"timeout=1", b"max=5, timeout=1", b"TIMEOUT=0"])
async def test_connection_is_not_used_when_the_server_may_be_closing_it(keep: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: " + keep + b"\r\nContent-Length: 2\r\n\r\nok"
    async with serve(repeats(answer)) as peer, open_transport() as transport:
        await ask(transport, peer.url)
        await ask(transport, peer.url)
        assert len(peer.talks) == 2


async def test_idle_connection_is_closed_in_time() -> None:
    closed = anyio.Event()

    async def script(talk: Talk) -> None:
        await talk.answer(OK)
        await talk.gone()
        closed.set()

    async with serve(script) as peer, open_transport(bounds=Bounds(idle_seconds=0.1)) as transport:
        await ask(transport, peer.url)
        await closed.wait()


async def test_cancelling_closes_the_connection_and_frees_its_place() -> None:
    closed = 0

    async def script(talk: Talk) -> None:
        nonlocal closed
        asked.set()
        await talk.gone()
        closed += 1
        left.set()

    async with serve(script) as peer, open_transport(bounds=Bounds(per_origin=1)) as transport:
        for count in range(1, 4):
            asked, left = anyio.Event(), anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(ask, transport, peer.url)
                await asked.wait()
                group.cancel_scope.cancel()
            await left.wait()
            assert (closed, len(peer.talks)) == (count, count)


async def test_closing_the_transport_ends_exchanges_and_refuses_new_ones() -> None:
    errors: list[str] = []
    asked = anyio.Event()

    async def script(talk: Talk) -> None:
        asked.set()
        await talk.gone()

    async def fail() -> None:
        try:
            await ask(transport, peer.url)
        except TransportError as error:
            errors.append(str(error))

    async with serve(script) as peer, anyio.create_task_group() as group:
        async with open_transport() as transport:
            group.start_soon(fail)
            await asked.wait()
        with pytest.raises(TransportError, match="the transport is closed"):
            await ask(transport, peer.url)
    assert errors == ["the transport was closed during the exchange"]


async def test_closing_the_transport_while_it_connects() -> None:
    asked, go = anyio.Event(), anyio.Event()
    errors: list[str] = []

    async def resolve(host: str, port: int) -> list[Address]:
        asked.set()
        await go.wait()
        return [("127.0.0.1", peer.port)]

    async def fail() -> None:
        try:
            await ask(transport, peer.url)
        except TransportError as error:
            errors.append(str(error))

    async with serve(repeats(OK)) as peer, anyio.create_task_group() as group:
        async with open_transport(resolve=resolve) as transport:
            group.start_soon(fail)
            await asked.wait()
        go.set()
    assert errors == ["the transport was closed"]


async def test_sink_that_raises_what_no_future_takes() -> None:
    class Stopping(Recorder):
        def feed(self, data: bytes) -> None:
            raise StopIteration

    async with serve(repeats(OK)) as peer, open_transport() as transport:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await transport.exchange(Target.parse(peer.url), b"", Stopping())


async def test_error_inside_leaves_as_it_is() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_transport():
            raise LookupError("mine")


async def test_total_deadline_covers_waiting_for_a_connection() -> None:
    async def script(talk: Talk) -> None:
        asked.set()
        await talk.gone()

    asked = anyio.Event()
    bounds = Bounds(per_origin=1)
    async with serve(script) as peer, open_transport(bounds=bounds) as transport, anyio.create_task_group() as group:
        group.start_soon(ask, transport, peer.url)
        await asked.wait()
        with pytest.raises(TransportTimeoutError) as caught:
            await ask(transport, peer.url, deadlines=Deadlines(total=0.05))
        group.cancel_scope.cancel()
    assert caught.value.phase == "total"


async def test_connects_to_the_address_that_was_resolved() -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[Address]:
        asked.append((host, port))
        return [("127.0.0.1", peer.port)]

    requests: list[bytes] = []

    async def script(talk: Talk) -> None:
        requests.append(await talk.answer(OK))

    async with serve(script) as peer, open_transport(resolve=resolve) as transport:
        await ask(transport, "http://api.example:81/")
    assert asked == [("api.example", 81)]
    assert b"\r\nHost: api.example:81\r\n" in requests[0]


async def test_nobody_there() -> None:
    async with serve(repeats(OK)) as peer:
        url = peer.url
    async with open_transport() as transport:
        with pytest.raises(ConnectError, match=r"127\.0\.0\.1"):
            await ask(transport, url)
