"""Idempotency keys: the same for the same action, after a crash and a repeat too."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

from msgspec import MsgspecError
from msgspec.json import decode, encode

from clawmesh.messages import ToolCall


class Keys:
    """Makes the keys of one turn's actions.

    They tell what is done, not how a model or provider counts it: a repeat may put the same calls into another order
    and give them other ids. Equal calls are told apart by how many came before.
    """

    def __init__(self, turn: str) -> None:
        self._turn = turn
        self._made: Counter[tuple[str, str]] = Counter()

    def key(self, call: ToolCall) -> str:
        """Return the key of the next call of this name with these arguments: 32 hexadecimal digits."""
        action = (call.name, _canonical(call.arguments))
        before = self._made[action]
        self._made[action] += 1
        text = "\0".join([self._turn, *action, str(before)])
        return sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def _canonical(arguments: str) -> str:
    """Return JSON in one of its many spellings; what is no JSON stays as it is."""
    try:
        return encode(decode(arguments or "{}"), order="deterministic").decode()
    except (MsgspecError, ValueError, RecursionError):
        return arguments
