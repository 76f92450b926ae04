"""How long a client may take, and how much it may send."""

from __future__ import annotations

from msgspec import Struct

KIB, MIB = 1024, 1024 * 1024


class Patience(Struct, frozen=True, gc=False):
    """Seconds that a client may take for each phase; all are enforced to about a quarter of a second."""

    header: float = 10.0
    """From a request's first byte, or the connection's beginning, to the end of its header."""
    body: float = 15.0
    """Between two pieces of a request's body."""
    pace: float = 16 * KIB
    """Bytes of a body that have to come in each second, on the whole; the first `body` seconds are free."""
    idle: float = 60.0
    """Between an answer's end and the next request."""
    reading: float = 20.0
    """Without taking any byte of an answer."""


class Room(Struct, frozen=True, gc=False):
    """What a client may send, and how many may be connected."""

    header_bytes: int = 32 * KIB
    fields: int = 100
    body_bytes: int = 32 * MIB
    connections: int = 20_000
    pipelined: int = 16
    """Requests that may come before the answers to those before them."""
