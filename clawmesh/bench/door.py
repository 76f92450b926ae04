"""A server that is measured from outside: where it is reached, and what its process uses."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from clawmesh.api.token import own
from clawmesh.bench.fixture import folder
from clawmesh.bench.service import ready, serving
from clawmesh.errors import ResourceError
from clawmesh.runtime import raise_descriptors

# What a server has open besides its clients: libraries, journal, listeners.
SPARE = 200
CONFIG = """
[mesh]
workers = 1

[api]
connections = {connections}

[backends.mock]
type = "openai"
base_url = "{url}"

[agents.ticker]
type = "ticker"

[agents.relay]
backend = "mock"
model = "600x1000"

[agents.echo]
type = "echo"

[agents.flood]
type = "flood"
"""


class Door(Struct, frozen=True):
    """A server on loopback, of one process, and the token that it wants, "" for none."""

    port: int
    pid: int
    token: str = ""

    def request(self, method: str, path: str, body: bytes = b"", accept: str = "*/*") -> bytes:
        """Return the bytes of a request, its body JSON."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept: {accept}\r\n"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body

    def cpu_seconds(self) -> float:
        """Return the processor time that all threads of the server have used so far.

        Raises:
            ResourceError: it has ended, or this system does not tell.
        """
        try:
            # The number of another process's clock, as clock_getcpuclockid(3) makes it on Linux.
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError as error:
            raise ResourceError(f"there is no processor time of process {self.pid}: {error.strerror}") from error

    def resident(self) -> int:
        """Return the bytes of memory that the server holds.

        Raises:
            ResourceError: it has ended, or this system does not tell.
        """
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        except OSError as error:
            raise ResourceError(f"the memory of process {self.pid} cannot be read: {error.strerror}") from error
        return int(pages) * resource.getpagesize()


Opener: TypeAlias = Callable[[str, int], AbstractContextManager[Door]]
"""Starts a server with a mock provider's URL, "" for none, and room for so many connections; ends it with the block."""


@contextmanager
def served(url: str, connections: int) -> Iterator[Door]:
    """Start `clawmesh serve` with the agents of the bench, and end it with the block.

    Raises:
        ResourceError: it does not start.
    """
    config = CONFIG.format(url=url or "http://127.0.0.1:9/v1", connections=connections)
    with folder() as places, serving(places, config) as process:
        facts = ready(process)
        yield Door(int(facts.url.rpartition(":")[2]), process.pid, own(places.data))


def room(descriptors: int) -> int:
    """Return how many clients can be served at the same time, if each takes so many file descriptors of the server."""
    # A process of ours starts with as many as this one may have.
    return max(1, (raise_descriptors() - SPARE) // descriptors)
