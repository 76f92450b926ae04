"""A provider on loopback that gives one prepared answer, and the backends that ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import anyio
import msgspec

from clawmesh.abc.backend import Request
from clawmesh.abc.context import Services
from clawmesh.clock import SystemClock
from clawmesh.http.transport import open_transport
from clawmesh.messages import Message
from clawmesh.testing import seeded_ids
from tests.http.peer import Peer, Talk, serve

HELLO = Request(model="m", messages=(Message.user("hello"),))


@dataclass(frozen=True)
class Answer:
    """What the provider sends; with `pieces` the body comes in just these chunks, and `cut` breaks off after them."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    cut: bool = False

    @property
    def wire(self) -> bytes:
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        head = f"HTTP/1.1 {self.status} X\r\n{fields}"
        if not self.pieces:
            return f"{head}content-length: {len(self.body)}\r\n\r\n".encode() + self.body
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self.pieces)
        return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunks + (b"" if self.cut else b"0\r\n\r\n")


@dataclass
class Provider:
    """Where it listens, and the bodies of the requests it got."""

    peer: Peer
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.peer.url

    @property
    def head(self) -> bytes:
        return self.requests[-1].partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> dict[str, object]:
        body = self.requests[-1].partition(b"\r\n\r\n")[2]
        return msgspec.json.decode(body, type=dict[str, object])


@asynccontextmanager
async def provider(*answers: Answer) -> AsyncIterator[Provider]:
    """Answer the first request with the first answer, and so on, whatever the connection."""
    rest = list(answers)

    async def script(talk: Talk) -> None:
        try:
            while rest:
                request = await talk.request()
                asked.requests.append(request)
                answer = rest.pop(0)
                await talk.send(answer.wire)
                if answer.cut:
                    return
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the client is done

    async with serve(script) as peer:
        asked = Provider(peer)
        yield asked


@asynccontextmanager
async def services(data: Path = Path("/nonexistent")) -> AsyncIterator[Services]:
    """Open what the host gives to a plugin's factory."""
    async with open_transport() as transport:
        yield Services(transport=transport, clock=SystemClock(), ids=seeded_ids(), random=Random(1), data=data)


def pieces_of(body: bytes, seed: int) -> list[bytes]:
    """Cut a body into pieces of 1 to 7 bytes, the same way every time."""
    random, pieces, start = Random(seed), [], 0
    while start < len(body):
        end = start + random.randint(1, 7)
        pieces.append(body[start:end])
        start = end
    return pieces
