"""Transcripts: what was said in a session, cut at whole exchanges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from clawmesh.messages import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult

# About a million tokens of text, more than the windows of most models: beyond it a session costs memory for nothing.
CHARACTERS = 4_000_000


class Exchange(Struct, frozen=True):
    """How much one exchange takes: its messages, and the characters and bytes in them."""

    messages: int
    characters: int


class Transcript:
    """Keeps the newest exchanges of one session: at most `bound` messages and 4,000,000 characters in all.

    The newest exchange is kept whatever its size, because the next turn goes on from it.
    """

    def __init__(self, bound: int, characters: int = CHARACTERS) -> None:
        self._bound = bound
        self._characters = characters
        self._messages: tuple[Message, ...] = ()
        self._exchanges: deque[Exchange] = deque()

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._messages

    def extend(self, exchange: Sequence[Message]) -> None:
        """Append a whole exchange: a message from outside, and all that followed it up to the answer."""
        self._exchanges.append(Exchange(len(exchange), sum(_size(message.parts) for message in exchange)))
        messages = sum(each.messages for each in self._exchanges)
        characters = sum(each.characters for each in self._exchanges)
        # A call must never lose its result, so whole exchanges go.
        while len(self._exchanges) > 1 and (messages > self._bound or characters > self._characters):
            oldest = self._exchanges.popleft()
            messages -= oldest.messages
            characters -= oldest.characters
        self._messages = (*self._messages, *exchange)[-messages:] if messages else ()

    def clear(self) -> None:
        self._messages = ()
        self._exchanges.clear()


def _size(parts: Iterable[Part]) -> int:
    return sum(map(_part_size, parts))


def _part_size(part: Part) -> int:
    match part:
        case Text(text):
            return len(text)
        case Image():
            return len(part.data) + len(part.url)
        case Reasoning():
            return len(part.text) + len(part.data)
        case ToolCall():
            return len(part.arguments)
        case ToolResult():
            return _size(part.content)
        case Opaque():
            return len(part.data)
