"""Transcripts: what was said in a session, cut at whole exchanges.

It is kept packed, in one piece: a conversation rests far longer than it speaks, packed it takes half the memory, the
garbage collector has nothing to visit, and what is freed in large pieces can be given back to the system.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from clawmesh.codec import pack, unpacker
from clawmesh.messages import Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult

# About a million tokens of text, more than the windows of most models: beyond it a session costs memory for nothing.
CHARACTERS = 4_000_000
# What a transcript takes in memory besides what is packed.
OBJECT_BYTES = 105


class Exchange(Struct, frozen=True, array_like=True, gc=False):
    """One exchange, packed: how many messages, how many characters and bytes of content, and the messages."""

    messages: int
    characters: int
    data: bytes


_messages = unpacker(tuple[Message, ...], "exchange")
_exchanges = unpacker(tuple[Exchange, ...], "transcript")
EMPTY = pack(())


class Transcript:
    """Keeps the newest exchanges of one session: at most `bound` messages and 4,000,000 characters in all.

    The newest exchange is kept whatever its size, because the next turn goes on from it.
    """

    __slots__ = ("_bound", "_characters", "_packed")

    def __init__(self, bound: int, characters: int = CHARACTERS) -> None:
        self._bound = bound
        self._characters = characters
        self._packed = EMPTY

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(message for exchange in _exchanges(self._packed) for message in _messages(exchange.data))

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._packed) + OBJECT_BYTES

    def extend(self, exchange: Sequence[Message]) -> None:
        """Append a whole exchange: a message from outside, and all that followed it up to the answer."""
        characters = sum(_size(message.parts) for message in exchange)
        self._keep((*_exchanges(self._packed), Exchange(len(exchange), characters, pack(exchange))))

    def pack(self) -> bytes:
        """Return all of it for `restore`."""
        return self._packed

    def restore(self, data: bytes) -> None:
        """Take over what `pack` returned.

        Raises:
            StorageError: that is no transcript.
        """
        self._keep(_exchanges(data))

    def _keep(self, exchanges: tuple[Exchange, ...]) -> None:
        """Drop the oldest that are over the bounds; whole exchanges, so that no call ever loses its result."""
        messages = characters = first = 0
        for number, exchange in enumerate(reversed(exchanges)):
            messages += exchange.messages
            characters += exchange.characters
            if number and (messages > self._bound or characters > self._characters):
                first = len(exchanges) - number
                break
        # What msgspec encodes keeps the buffer that it was written in, half as large again or more; a copy does not.
        self._packed = bytes(memoryview(pack(exchanges[first:])))


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
