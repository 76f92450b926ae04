"""Several addresses, shortage of descriptors, and time."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import anyio
import pytest

from clawmesh.errors import ConnectError, ResourceError, TransportTimeoutError
from clawmesh.http.dns import Address
from clawmesh.http.limits import Deadlines
from clawmesh.http.target import Target
from clawmesh.http.transport import open_transport
from tests.http.peer import OK, Recorder, repeats, serve

pytestmark = pytest.mark.anyio


async def ask(*addresses: Address, deadlines: Deadlines | None = None) -> bytes:
    async def resolve(host: str, port: int) -> list[Address]:
        return list(addresses)

    recorder = Recorder()
    async with open_transport(resolve=resolve) as transport:
        await transport.exchange(Target.parse("http://a.example/"), b"", recorder, deadlines or Deadlines())
    return recorder.body


@contextmanager
def refusing() -> Iterator[Address]:
    """Yield an address at which nobody listens."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


@contextmanager
def silent() -> Iterator[Address]:
    """Yield an address whose system neither accepts nor refuses: its queue of connections is full."""
    with closing(socket.socket()) as listener, closing(socket.socket()) as first, closing(socket.socket()) as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()


async def test_next_address_after_one_that_refuses() -> None:
    with refusing() as nobody:
        async with serve(repeats(OK)) as peer:
            assert await ask(nobody, nobody, ("127.0.0.1", peer.port)) == b"ok"


async def test_next_address_beside_one_that_is_silent() -> None:
    with silent() as mute:
        async with serve(repeats(OK)) as peer:
            assert await ask(mute, ("127.0.0.1", peer.port)) == b"ok"


async def test_every_address_refuses() -> None:
    with refusing() as nobody, pytest.raises(ConnectError, match=r"a\.example at 127\.0\.0\.1: Connect"):
        await ask(nobody, nobody)


async def test_no_address() -> None:
    with pytest.raises(ConnectError, match="has no address"):
        await ask()


@pytest.mark.parametrize("count", [1, 2])
async def test_connect_deadline(count: int) -> None:
    with silent() as mute, pytest.raises(TransportTimeoutError, match=r"within 0\.05 s") as caught:
        await ask(*[mute] * count, deadlines=Deadlines(connect=0.05))
    assert caught.value.phase == "connect"


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Leave this process no file descriptor to open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with closing(socket.socket()) as highest:
        lowest_free = highest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_file_descriptor_is_an_error_of_its_own_and_passes(host: str) -> None:
    async with serve(repeats(OK)) as peer, open_transport() as transport:
        target, recorder = Target.parse(f"http://{host}:{peer.port}"), Recorder()
        await anyio.wait_all_tasks_blocked()
        with no_descriptors(), pytest.raises(ResourceError, match="Too many open files"):
            await transport.exchange(target, b"", recorder)
        await transport.exchange(target, b"", recorder)
    assert recorder.body == b"ok"
