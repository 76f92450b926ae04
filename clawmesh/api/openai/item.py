"""The items of a response's output, and the response itself.

Source: OpenAI API reference, "The response object"; Open Responses specification, `ResponseResource`, which says what
has to be there even where it is nothing. Thoughts are told as summaries, which both know by the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from clawmesh.api.openai.completion import tokens
from clawmesh.api.openai.tools import Function
from clawmesh.messages import Usage

IN_PROGRESS, COMPLETED, INCOMPLETE, FAILED = "in_progress", "completed", "incomplete", "failed"


class OutputText(Struct, frozen=True):
    text: str
    type: str = "output_text"
    annotations: tuple[()] = ()
    logprobs: tuple[()] = ()


class Refusal(Struct, frozen=True):
    refusal: str
    type: str = "refusal"


class Summary(Struct, frozen=True):
    text: str
    type: str = "summary_text"


class MessageItem(Struct, frozen=True):
    """What the agent says."""

    id: str
    status: str
    content: Sequence[OutputText | Refusal]
    type: str = "message"
    role: str = "assistant"


class ReasoningItem(Struct, frozen=True):
    """What it thought."""

    id: str
    summary: Sequence[Summary]
    type: str = "reasoning"


class CallItem(Struct, frozen=True):
    """A call that the caller is to make."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    type: str = "function_call"


Part: TypeAlias = OutputText | Refusal | Summary
Item: TypeAlias = MessageItem | ReasoningItem | CallItem


class InputDetails(Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Struct, frozen=True):
    reasoning_tokens: int


class ResponseTokens(Struct, frozen=True):
    """The `usage` of a response."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> ResponseTokens:
        counted = tokens(usage)
        return cls(
            counted.prompt_tokens,
            InputDetails(usage.cache_read_tokens, usage.cache_write_tokens),
            counted.completion_tokens,
            OutputDetails(usage.reasoning_tokens),
            counted.total_tokens,
        )


class Incomplete(Struct, frozen=True):
    reason: str


class Failure(Struct, frozen=True):
    code: str
    message: str


class Format(Struct, frozen=True):
    """The form of the text, as it was asked for."""

    type: str = "text"
    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    schema: Mapping[str, Any] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class TextOptions(Struct, frozen=True):
    format: Format = Format()
    verbosity: str | UnsetType = UNSET


class Thinking(Struct, frozen=True):
    effort: str | None = None
    summary: str | None = None


class Kept(Struct, frozen=True):
    """The conversation that a response belongs to."""

    id: str


class Echo(Struct, frozen=True, kw_only=True):
    """What a response repeats of its request; where that says nothing, OpenAI's defaults."""

    model: str
    previous_response_id: str | None = None
    conversation: Kept | None = None
    instructions: str | None = None
    tools: Sequence[Function] = ()
    tool_choice: Mapping[str, Any] | str = "auto"
    truncation: str = "disabled"
    parallel_tool_calls: bool = True
    text: TextOptions = TextOptions()
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    top_logprobs: int = 0
    temperature: float = 1.0
    reasoning: Thinking = Thinking()
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    store: bool = False
    background: bool = False
    service_tier: str = "default"
    metadata: Mapping[str, str] = {}
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class Response(Echo, frozen=True, kw_only=True):
    """A response as it stands."""

    id: str
    object: str = "response"
    created_at: int
    completed_at: int | None = None
    status: str
    incomplete_details: Incomplete | None = None
    error: Failure | None = None
    output: Sequence[Item] = ()
    usage: ResponseTokens | None = None
