"""One connection between two processes of a mesh: frames both ways, over a Unix socket.

All frames of one turn of the event loop leave in one write. Each side says hello first; one that falls silent, does not
read, or does not speak as we do is cut off.
"""

from __future__ import annotations

import asyncio
import os
from typing import Protocol, cast

from clawmesh.cluster.frame import PROTOCOL, Frame, Hello, Parser, Ping, Pong, pack
from clawmesh.cluster.socket import owner
from clawmesh.errors import JointError, VersionError
from clawmesh.version import VERSION

# One tick without a word: we ask for one. So many: we give up. Ticks are counted, not seconds, or a process that was
# stopped for a while would hold the silence of that time against others.
TICK = 5.0
SILENT_TICKS = 3
CROWDED = 1024 * 1024
BACKLOG = 64 * 1024 * 1024


class Peer(Protocol):
    """Whoever speaks through a connection."""

    def opened(self, connection: Connection) -> None:
        """Both sides have said hello."""

    def received(self, connection: Connection, frame: Frame) -> None:
        """Take a frame.

        Raises:
            JointError: it makes no sense; ends the connection.
        """

    def resumed(self, connection: Connection) -> None:
        """The connection is not crowded any more."""

    def lost(self, connection: Connection, error: JointError) -> None:
        """The connection has ended; called once, also where it was never opened."""


class Connection(asyncio.Protocol):
    """Speaks for `peer`, whose methods must return at once."""

    __slots__ = (
        "_error",
        "_greeted",
        "_loop",
        "_out",
        "_parser",
        "_paused",
        "_peer",
        "_silent",
        "_size",
        "_tick",
        "_timer",
        "_transport",
    )

    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle

    def __init__(self, peer: Peer, *, tick: float = TICK) -> None:
        self._peer = peer
        self._tick = tick
        self._loop = asyncio.get_running_loop()
        self._parser = Parser(self._receive)
        self._out: list[bytes] = []
        self._size = 0
        self._silent = 0
        self._paused = False
        self._greeted = False
        self._error: JointError | None = None

    @property
    def crowded(self) -> bool:
        """Whether nothing should be sent that can wait: the other side does not read as fast as we write."""
        return self._paused or self._size > CROWDED

    def send(self, frame: Frame) -> None:
        """Send a frame with the others of this turn of the loop; into a connection that has ended it goes nowhere.

        Raises:
            JointError: it is too large, or holds what cannot be sent.
        """
        data = pack(frame)
        if self._error is not None:
            return
        if not self._out and not self._paused:
            self._loop.call_soon(self._flush)
        self._out.append(data)
        self._size += len(data)
        if self._paused and self._size > BACKLOG:
            self.abort(JointError(f"the other process left {self._size} bytes unread"))

    def close(self) -> None:
        """End the connection when what was sent has left."""
        if self._error is None:
            self._paused = False
            self._flush()
            self._error = JointError("the connection was closed")
            self._transport.close()

    def abort(self, error: JointError) -> None:
        """End the connection at once, for this reason."""
        if self._error is None:
            self._error = error
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say that it is one
        self._timer = self._loop.call_later(self._tick, self._look)
        user = owner(transport.get_extra_info("socket"))
        if user not in (None, 0, os.geteuid()):
            self.abort(JointError(f"the other process belongs to another user (uid {user})"))
            return
        self.send(Hello())

    def data_received(self, data: bytes) -> None:
        self._silent = 0
        try:
            self._parser.feed(data)
        except JointError as error:
            self.abort(error)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()
        if not self.crowded and self._greeted:
            self._peer.resumed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._out.clear()
        if self._error is None:
            reason = f": {exc}" if exc else ""
            self._error = JointError(f"the other process ended the connection{reason}")
        self._peer.lost(self, self._error)

    def _receive(self, frame: Frame) -> None:
        if self._error is not None:
            return
        if not self._greeted:
            self._greet(frame)
        elif type(frame) is Ping:
            self.send(Pong())
        elif type(frame) is not Pong:
            self._peer.received(self, frame)

    def _greet(self, frame: Frame) -> None:
        if not isinstance(frame, Hello):
            raise JointError(f"found {type(frame).__name__}, expected Hello first")
        if frame.protocol != PROTOCOL:
            raise VersionError(
                f"the other process is ClawMesh {frame.version} (protocol {frame.protocol}), this one is {VERSION} "
                f"(protocol {PROTOCOL}): run the same version for both"
            )
        self._greeted = True
        self._peer.opened(self)

    def _look(self) -> None:
        """Take note of silence."""
        self._silent += 1
        if not self._greeted or self._silent > SILENT_TICKS:
            self.abort(JointError("the other process says nothing"))
            return
        self.send(Ping())
        self._timer = self._loop.call_later(self._tick, self._look)

    def _flush(self) -> None:
        if self._paused or not self._out or self._error is not None:
            return
        out, self._out, self._size = self._out, [], 0
        self._transport.write(b"".join(out))
