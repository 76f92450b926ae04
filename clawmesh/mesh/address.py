"""Addresses: `agent/session`."""

from __future__ import annotations

import re

from msgspec import Struct

from clawmesh.errors import UsageError

AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
# The session of a peer is named after the one that it belongs to: `lead~s1`.
SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~-]{0,127}")


class Address(Struct, frozen=True):
    """Names one session of one agent; prints and parses as `agent/session`."""

    agent: str
    session: str

    @classmethod
    def parse(cls, text: str, *, session: str = "") -> Address:
        """Read `agent/session`, or `agent` with the session given apart.

        Raises:
            UsageError: a name is empty, too long, or has a character other than letters, digits, `_`, `.` and `-`; in a
                session's also `~`.
        """
        agent, _, named = text.partition("/")
        address = cls(agent, named or session)
        if not (AGENT.fullmatch(address.agent) and SESSION.fullmatch(address.session)):
            raise UsageError(f"{text!r} is no address: expected agent or agent/session, of letters, digits, _ . - ~")
        return address

    def __str__(self) -> str:
        return f"{self.agent}/{self.session}"
