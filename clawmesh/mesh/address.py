"""Addresses: `agent/session`."""

from __future__ import annotations

import re

from msgspec import Struct

from clawmesh.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Address(Struct, frozen=True):
    """Names one session of one agent; prints and parses as `agent/session`."""

    agent: str
    session: str

    @classmethod
    def parse(cls, text: str, *, session: str = "") -> Address:
        """Read `agent/session`, or `agent` with the session given apart.

        Raises:
            UsageError: a name is empty, too long or has a character other than letters, digits, `_`, `.` and `-`.
        """
        agent, _, named = text.partition("/")
        address = cls(agent, named or session)
        for name in (address.agent, address.session):
            if not NAME.fullmatch(name):
                raise UsageError(f"{text!r} is no address: expected agent or agent/session, of letters, digits, _ . -")
        return address

    def __str__(self) -> str:
        return f"{self.agent}/{self.session}"
