"""`clawmesh serve` as a process of its own, and conversations with it through its door."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from clawmesh.bench.child import undisturbed
from clawmesh.bench.start import command
from clawmesh.clock import SystemClock
from clawmesh.cluster.hold import socket_of
from clawmesh.cluster.home import home
from clawmesh.cluster.joint import SocketJoint, open_joint
from clawmesh.config.location import Places
from clawmesh.errors import ResourceError
from clawmesh.ids import Ids
from clawmesh.mesh.address import Address
from clawmesh.mesh.delivery import Delivery
from clawmesh.mesh.envelope import Ending, Envelope
from clawmesh.messages import Message

SECONDS = 600.0


@contextmanager
def serving(places: Places, config: str) -> Iterator[subprocess.Popen[str]]:
    """Start a service in this data directory with this configuration, and end it with the block; see `ready`."""
    file = places.data / "clawmesh.toml"
    file.write_text(config, encoding="utf-8")
    words = [*command(), "serve", "--port", "0", "--config", str(file), "--data", str(places.data), "--json"]
    with ExitStack() as stack:
        with undisturbed():
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
        yield process


class Facts(Struct, frozen=True):
    """What a service tells when it is ready."""

    url: str


def ready(process: subprocess.Popen[str]) -> Facts:
    """Wait until a service is ready, and return what it tells then.

    Raises:
        ResourceError: it ended instead.
    """
    assert process.stdout is not None  # it was started with a pipe
    line = process.stdout.readline()
    if not line:
        raise ResourceError(f"clawmesh serve ended with exit code {process.wait()}")
    return msgspec.json.decode(line, type=Facts)


class Client:
    """Made by `open_client`."""

    def __init__(self, joints: Sequence[SocketJoint]) -> None:
        self._joints = joints
        self._clock = SystemClock()
        self._ids = Ids(self._clock)

    async def talk(self, to: Address, text: str) -> bool:
        """Let a session take one turn; False if it came to no answer."""
        envelope = Envelope(
            id=self._ids.new("env"),
            sender="bench",
            to=to,
            kind="ask",
            message=Message.user(text),
            deadline=self._clock.monotonic() + SECONDS,
        )
        delivery = Delivery(envelope)
        await self._joints[home(to.session, len(self._joints))].deliver(delivery)
        outcome = await delivery.waiter()
        return outcome.ending is Ending.ANSWERED


@asynccontextmanager
async def open_client(data: Path, workers: int) -> AsyncIterator[Client]:
    """Connect to every worker of the service in a data directory.

    Raises:
        JointError: one does not answer.
    """
    async with AsyncExitStack() as stack:
        joints = [
            await stack.enter_async_context(open_joint(socket_of(data, worker), SystemClock(), lasting=False))
            for worker in range(workers)
        ]
        yield Client(joints)
