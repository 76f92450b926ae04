"""Transcripts: what was said in a session, cut at whole exchanges."""

from __future__ import annotations

from collections.abc import Sequence

from clawmesh.messages import Message


class Transcript:
    """Keeps the newest messages of one session, at most `bound` of them, beginning with a user's message."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._messages: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._messages

    def extend(self, exchange: Sequence[Message]) -> None:
        """Append a whole exchange: a user's message, and all that followed it up to the answer."""
        messages = (*self._messages, *exchange)
        starts = [index for index, message in enumerate(messages) if message.role == "user"]
        # A call must never lose its result: the cut falls before a user's message, and the newest exchange stays.
        cut = next((start for start in starts if len(messages) - start <= self._bound), starts[-1] if starts else 0)
        self._messages = messages[cut:]

    def clear(self) -> None:
        self._messages = ()
