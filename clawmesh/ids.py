"""Identifiers as a service: short, sortable by time, and repeatable where clock and randomness are."""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from clawmesh.clock import Clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Of each byte of a hash, five bits make a digit.
_DIGIT_OF_BYTE = _ALPHABET.encode() * 8
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_TIME_DIGITS = 9
_HASH_DIGITS = 12


class Ids:
    """Makes ids such as `env_01kb3v9x4e7q2m5t`: 45 bits of milliseconds, then 35 random bits, in base 32.

    No two of one instance are equal, as long as the clock does not go back.
    """

    def __init__(self, clock: Clock, random: Random | None = None) -> None:
        self._clock = clock
        # An id is no secret; and asking the system for every one would cost more than all the rest of a message.
        self._random = random or Random()  # noqa: S311
        self._last = 0

    def new(self, prefix: str) -> str:
        moment = int(self._clock.now() * 1000)
        # In one millisecond ids count on from the first: they never meet, and keep their order.
        number = self._last + 1 if moment == self._last >> 35 else moment << 35 | self._random.getrandbits(35)
        self._last = number
        return f"{prefix}_{_digits(number, 80)}"


def kin(id: str) -> str:
    """Return what an id shares with all that were derived from it: its prefix and its time."""
    return id[: id.index("_") + 1 + _TIME_DIGITS]


def derive(parent: str, key: str) -> str:
    """Return the id of what `parent` caused by the action `key`: the same for the same, after a crash too.

    It begins as its parent's does, so that kin lie together in whatever is sorted by id, and ends in 60 bits of a hash.
    """
    digest = blake2b(f"{parent}\0{key}".encode(), digest_size=_HASH_DIGITS).digest()
    return kin(parent) + digest.translate(_DIGIT_OF_BYTE).decode()


def _digits(number: int, bits: int) -> str:
    """Return the lowest `bits` of a number in base 32; bits come by tens."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(bits - 10, -1, -10)])
