"""What people, agents and models say to each other: frozen values that know no storage and no HTTP.

A stream of an answer is made of the same parts as a message: a `Text` or `Reasoning` that arrives on a stream is a
piece, to be joined with the one before it.

None of them can be part of a cycle, so the garbage collector need not look at them (`gc=False`): a history of ten
thousand messages lengthens none of its pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


class Text(Struct, frozen=True, gc=False, tag="text"):
    text: str


class Image(Struct, frozen=True, gc=False, tag="image"):
    """An image by value (`data` with `media_type`) or by reference (`url`)."""

    media_type: str = ""
    data: bytes = b""
    url: str = ""


class Reasoning(Struct, frozen=True, gc=False, tag="reasoning"):
    """What a model thought before it spoke.

    `data` is the provider's own block as JSON, signatures included; it is given back unchanged to the same
    `provider` and to no other.
    """

    text: str
    provider: str = ""
    data: bytes = b""


class ToolCall(Struct, frozen=True, gc=False, tag="tool_call"):
    """A model's wish to call a tool; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str = "{}"


class ToolResult(Struct, frozen=True, gc=False, tag="tool_result"):
    """What a tool gave for the call with id `call`; `failed` marks an error that the model should see."""

    call: str
    name: str
    content: tuple[Text | Image, ...]
    failed: bool = False

    @property
    def text(self) -> str:
        return "".join([part.text for part in self.content if type(part) is Text])


class Opaque(Struct, frozen=True, gc=False, tag="opaque"):
    """A provider's block that ClawMesh does not interpret, kept as JSON and given back unchanged."""

    provider: str
    data: bytes


Part: TypeAlias = Text | Image | Reasoning | ToolCall | ToolResult | Opaque


class Retraction(Struct, frozen=True, gc=False, tag="retraction"):
    """Travels on a stream only: the pieces since the last whole step are void, because the call starts again."""

    reason: str


Piece: TypeAlias = Part | Retraction
Emit: TypeAlias = Callable[[Piece], None]


class Message(Struct, frozen=True, gc=False):
    role: Role
    parts: tuple[Part, ...]

    @classmethod
    def user(cls, text: str) -> Message:
        return cls("user", (Text(text),))

    @classmethod
    def assistant(cls, text: str) -> Message:
        return cls("assistant", (Text(text),))

    # Of what passes here for every message the exact type is compared: isinstance takes several times as long, since a
    # metaclass answers it.

    @property
    def text(self) -> str:
        return "".join([part.text for part in self.parts if type(part) is Text])

    @property
    def reasoning(self) -> str:
        return "".join([part.text for part in self.parts if type(part) is Reasoning])

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple([part for part in self.parts if type(part) is ToolCall])


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one or more model calls, as the provider counts them.

    Providers differ in whether `input_tokens` contains the cached ones (OpenAI: yes; Anthropic: no), so `total_tokens`
    is always the sum that was processed, cached tokens included.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.total_tokens + other.total_tokens,
        )


class Report(Struct, frozen=True, kw_only=True, gc=False):
    """What a turn took: model calls, tool calls, tokens; `stop` is why the last answer ended."""

    steps: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    stop: str = "end"
    stop_detail: str = ""
    backend: str = ""
    model: str = ""
