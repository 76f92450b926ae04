"""Frames: what two processes of one mesh say to each other, in msgpack, each after its length in four bytes.

Envelopes and outcomes travel as the bytes that the journal keeps of them, errors as the outcome that they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from clawmesh import messages
from clawmesh.errors import JointError
from clawmesh.version import VERSION

PROTOCOL = 1
# The largest that `ask` sends is an image of 20 MiB.
FRAME_BYTES = 32 * 1024 * 1024
HEADER = 4


class Hello(Struct, frozen=True, array_like=True, tag=0, gc=False):
    """The first frame on each side. Its form never changes, so that each version can tell what the other one is."""

    protocol: int = PROTOCOL
    version: str = VERSION


class Deliver(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Take this envelope; what comes of it is said under this number.

    `stream` asks for the pieces, too; `again` says that it may have been handed over before.
    """

    number: int
    envelope: bytes
    stream: bool = False
    again: bool = False


class Accepted(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """It is on disk."""

    number: int


class Refused(Struct, frozen=True, array_like=True, tag=3, gc=False):
    """A delivery was not accepted, or a query failed: `fault` is an outcome with the error.

    `leaving` says that this process is about to end and takes nothing more.
    """

    number: int
    fault: bytes
    leaving: bool = False


class Piece(Struct, frozen=True, array_like=True, tag=4, gc=False):
    """A piece of the answer."""

    number: int
    piece: messages.Piece


class Ended(Struct, frozen=True, array_like=True, tag=5, gc=False):
    """The envelope has its outcome."""

    number: int
    outcome: bytes


class Leave(Struct, frozen=True, array_like=True, tag=6, gc=False):
    """Nobody waits any more for what comes of this delivery."""

    number: int


class Query(Struct, frozen=True, array_like=True, tag=7):
    """Do what `verb` says, with these arguments."""

    number: int
    verb: str
    arguments: dict[str, Any]


class Reply(Struct, frozen=True, array_like=True, tag=8):
    """What a query gave."""

    number: int
    result: Any


class Ping(Struct, frozen=True, array_like=True, tag=9, gc=False):
    """Say something."""


class Pong(Struct, frozen=True, array_like=True, tag=10, gc=False):
    """Something."""


Frame: TypeAlias = Hello | Deliver | Accepted | Refused | Piece | Ended | Leave | Query | Reply | Ping | Pong

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def pack(frame: Frame) -> bytes:
    """Return a frame as it travels.

    Raises:
        JointError: it is too large, or holds what cannot be sent.
    """
    try:
        body = _encode(frame)
    except (TypeError, ValueError, OverflowError) as error:
        raise JointError(f"this cannot be sent to another process: {error}") from error
    if len(body) > FRAME_BYTES:
        raise JointError(f"{len(body)} bytes are too many for another process; expected at most {FRAME_BYTES}")
    return len(body).to_bytes(HEADER, "big") + body


class Parser:
    """Cuts a stream of bytes into frames and gives each to `receive`."""

    __slots__ = ("_buffer", "_receive")

    def __init__(self, receive: Callable[[Frame], None]) -> None:
        self._receive = receive
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises:
            JointError: a frame is too large, or none that there is.
        """
        buffer = self._buffer
        if buffer:
            buffer += data
            source: bytes | bytearray = buffer
        else:
            source = data
        at, end = 0, len(source)
        while end - at >= HEADER:
            size = int.from_bytes(source[at : at + HEADER], "big")
            if size > FRAME_BYTES:
                raise JointError(f"found a frame of {size} bytes, expected at most {FRAME_BYTES}")
            if end - at - HEADER < size:
                break
            at += HEADER + size
            self._receive(_read(source[at - size : at]))
        if source is buffer:
            del buffer[:at]
        else:
            buffer += source[at:]


def _read(body: bytes | bytearray) -> Frame:
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise JointError(f"found a frame that is none: {error}") from error
    except RecursionError as error:
        raise JointError("found a frame that is nested too deeply") from error
