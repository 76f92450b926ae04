"""Writes chat completions, whole and as chunks.

Source: OpenAI API reference, "The chat completion object" and "The chat completion chunk object"; `reasoning_content`
is what DeepSeek's API added to them and other servers and clients took up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from clawmesh.api.openai.conversation import GAP
from clawmesh.api.openai.exchange import Closing
from clawmesh.api.openai.fault import Fault
from clawmesh.api.openai.past import identify
from clawmesh.messages import ToolCall, Usage

# Of a refusal the text was sent as content before anybody knew; this tells that it is no answer.
REASONS: Mapping[str, str] = {
    "end": "stop",
    "stop_sequence": "stop",
    "pause": "stop",
    "tool_calls": "stop",
    "length": "length",
    "context_window": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
PREFIX = "chatcmpl"
DONE = b"data: [DONE]\n\n"
encode = msgspec.json.Encoder().encode


class PromptDetails(Struct, frozen=True):
    cached_tokens: int


class CompletionDetails(Struct, frozen=True):
    reasoning_tokens: int


class Tokens(Struct, frozen=True):
    """The `usage` of a completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Function(Struct, frozen=True):
    name: str
    arguments: str


class Call(Struct, frozen=True):
    """A call in a whole message."""

    id: str
    function: Function
    type: str = "function"


class CallDelta(Call, frozen=True):
    """A call in a chunk, which has all of it at once."""

    index: int = 0


class Delta(Struct, frozen=True):
    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    tool_calls: Sequence[CallDelta] | UnsetType = UNSET


class ChunkChoice(Struct, frozen=True):
    delta: Delta
    finish_reason: str | None = None
    index: int = 0
    logprobs: None = None


class Head(Struct, frozen=True):
    """What every chunk of a completion says again, besides the id."""

    created: int
    model: str


class Chunk(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: Sequence[ChunkChoice]
    usage: Tokens | UnsetType | None = UNSET


class Message(Struct, frozen=True, kw_only=True):
    role: str = "assistant"
    content: str | None
    refusal: str | None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: Sequence[Call] | UnsetType = UNSET


class Choice(Struct, frozen=True, kw_only=True):
    index: int = 0
    message: Message
    logprobs: None = None
    finish_reason: str


class Completion(Struct, frozen=True, kw_only=True):
    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: Sequence[Choice]
    usage: Tokens


class CompletionStream:
    """Writes chunks; with `usage` the last one tells the tokens, and all others that they do not."""

    __slots__ = ("_gap", "_head", "_id", "_refused", "_said", "_usage")

    def __init__(self, head: Head, *, usage: bool) -> None:
        self._head = head
        self._usage = usage
        self._id = ""
        self._refused = False
        self._said = False
        self._gap = False

    def begin(self, envelope: str) -> bytes:
        self._id = identify(PREFIX, envelope)
        return self._chunk(Delta(role="assistant", content=""))

    def text(self, text: str) -> bytes:
        if self._gap and self._said:
            text = GAP + text
        self._gap, self._said = False, True
        return self._chunk(Delta(content=text))

    def reasoning(self, text: str) -> bytes:
        return self._chunk(Delta(reasoning_content=text))

    def refusal(self, text: str) -> bytes:
        self._refused = True
        return self._chunk(Delta(refusal=text))

    def step(self) -> bytes:
        self._gap = True
        return b""

    def close(self, closing: Closing) -> bytes:
        calls = [
            self._chunk(Delta(tool_calls=[CallDelta(call.id, _function(call), index=index)]))
            for index, call in enumerate(closing.calls)
        ]
        last = self._chunk(Delta(), reason(closing, refused=self._refused))
        usage = self._event([], tokens(closing.report.usage)) if self._usage else b""
        return b"".join([*calls, last, usage, DONE])

    def fail(self, fault: Fault) -> bytes:
        return b"data: %b\n\n" % fault.body

    def _chunk(self, delta: Delta, finish: str | None = None) -> bytes:
        return self._event([ChunkChoice(delta, finish)], None if self._usage else UNSET)

    def _event(self, choices: Sequence[ChunkChoice], usage: Tokens | UnsetType | None) -> bytes:
        head = self._head
        chunk = Chunk(id=self._id, created=head.created, model=head.model, choices=choices, usage=usage)
        return b"data: %b\n\n" % encode(chunk)


class CompletionWhole:
    """Collects an answer and writes it at its end."""

    __slots__ = ("_gap", "_head", "_id", "_reasoning", "_refusal", "_texts")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._id = ""
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: str | None = None
        self._gap = False

    def begin(self, envelope: str) -> bytes:
        self._id = identify(PREFIX, envelope)
        return b""

    def text(self, text: str) -> bytes:
        if self._gap and self._texts:
            self._texts.append(GAP)
        self._gap = False
        self._texts.append(text)
        return b""

    def reasoning(self, text: str) -> bytes:
        self._reasoning.append(text)
        return b""

    def refusal(self, text: str) -> bytes:
        self._refusal = text
        return b""

    def step(self) -> bytes:
        self._gap = True
        return b""

    def close(self, closing: Closing) -> bytes:
        text = "".join(self._texts)
        message = Message(
            content=text if text or not (closing.calls or self._refusal) else None,
            refusal=self._refusal,
            reasoning_content="".join(self._reasoning) if self._reasoning else UNSET,
            tool_calls=[Call(call.id, _function(call)) for call in closing.calls] or UNSET,
        )
        head = self._head
        choices = [Choice(message=message, finish_reason=reason(closing, refused=self._refusal is not None))]
        usage = tokens(closing.report.usage)
        return encode(Completion(id=self._id, created=head.created, model=head.model, choices=choices, usage=usage))

    def fail(self, fault: Fault) -> bytes:
        return fault.body


def reason(closing: Closing, *, refused: bool = False) -> str:
    """Return the finish reason; a refusal that is told as one has ended as answers do."""
    if closing.calls:
        return "tool_calls"
    return "stop" if refused else REASONS.get(closing.report.stop, "stop")


def tokens(usage: Usage) -> Tokens:
    """Return tokens as OpenAI counts them: those of the prompt contain the cached ones."""
    prompt = usage.total_tokens - usage.output_tokens if usage.total_tokens else usage.input_tokens
    return Tokens(
        prompt,
        usage.output_tokens,
        prompt + usage.output_tokens,
        PromptDetails(usage.cache_read_tokens),
        CompletionDetails(usage.reasoning_tokens),
    )


def _function(call: ToolCall) -> Function:
    return Function(call.name, call.arguments)
