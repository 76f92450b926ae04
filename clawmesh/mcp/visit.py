"""Visits: what the protocol up to 2025-11-25 calls a session, which is none of ours.

A visit's id is proof of itself: it holds the revision agreed on, and is sealed with what only the token's holder and we
have. So any worker knows it, none has to remember it, and there can be as many as anybody likes. All it is for is to
tell whose request is meant by a cancellation.

Source: MCP 2025-11-25, "Transports", section "Session Management".
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from hashlib import sha256

from clawmesh.mcp.mesh import Token
from clawmesh.mcp.revision import LEGACY

BYTES = 16
SEPARATOR = "_"
# So many of those that were ended are remembered; an older one could be used again by its own token, for nothing.
ENDED = 10_000


class Visits:
    """Opens visits, and knows which have ended."""

    def __init__(self) -> None:
        self._ended: OrderedDict[str, None] = OrderedDict()

    def begin(self, token: Token, version: str) -> str:
        """Return the id of a new visit."""
        words = f"{version}{SEPARATOR}{secrets.token_hex(BYTES)}"
        return f"{words}{SEPARATOR}{_seal(token, words)}"

    def version(self, token: Token, id: str) -> str | None:
        """Return the revision that was agreed on in a visit; None where it is none, has ended, or is another's."""
        words, _, seal = id.rpartition(SEPARATOR)
        version = words.partition(SEPARATOR)[0]
        known = hmac.compare_digest(seal.encode(), _seal(token, words).encode())
        return version if known and version in LEGACY and id not in self._ended else None

    def end(self, id: str) -> None:
        """Let a visit be none any more."""
        self._ended[id] = None
        if len(self._ended) > ENDED:
            self._ended.popitem(last=False)


def _seal(token: Token, words: str) -> str:
    return hmac.new(token.digest.encode(), words.encode(), sha256).hexdigest()[: 2 * BYTES]
