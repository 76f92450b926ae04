"""Identifiers as a service: short, sortable by time, and repeatable where clock and randomness are."""

from __future__ import annotations

from random import Random, SystemRandom

from clawmesh.clock import Clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Ids:
    """Makes ids such as `env_01kb3v9x4e7q2m5t`: 45 bits of milliseconds, then 35 random bits, in base 32."""

    def __init__(self, clock: Clock, random: Random | None = None) -> None:
        self._clock = clock
        self._random = random or SystemRandom()

    def new(self, prefix: str) -> str:
        number = int(self._clock.now() * 1000) << 35 | self._random.getrandbits(35)
        digits = [_ALPHABET[number >> shift & 31] for shift in range(75, -1, -5)]
        return f"{prefix}_{''.join(digits)}"
