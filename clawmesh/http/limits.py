"""How long an exchange may take and how much it may hold."""

from __future__ import annotations

from msgspec import Struct

KIB, MIB = 1024, 1024 * 1024


class Deadlines(Struct, frozen=True, gc=False):
    """Seconds an exchange may spend in each phase; all are enforced to about a quarter of a second."""

    wait: float = 30.0
    """For a free connection, when all that the bounds allow are in use."""
    connect: float = 10.0
    """For name resolution, TCP and TLS together."""
    head: float = 600.0
    """From the request written to the response's header: a model may think for minutes before it says anything."""
    silence: float = 120.0
    """Between two pieces of the body."""
    total: float | None = None
    """For everything, from the call to the last byte."""


class Bounds(Struct, frozen=True):
    """What one transport may hold; past a bound there is an error of its own, never growth.

    `dials` is how many connections to one origin are made at the same time: more would overflow a server's queue of
    those to be accepted, and each would take longer than its deadline.
    """

    header_bytes: int = 64 * KIB
    body_bytes: int = 64 * MIB
    per_origin: int = 16_384
    connections: int = 16_384
    dials: int = 256
    idle_seconds: float = 30.0
