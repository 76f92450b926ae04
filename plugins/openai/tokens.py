"""Token counts: both protocols say the same under different names."""

from __future__ import annotations

from msgspec import Struct

from clawmesh import Usage


class InputDetails(Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(Struct, gc=False):
    reasoning_tokens: int | None = None


class CompletionTokens(Struct, gc=False):
    """The `usage` of a chat completion."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None

    @property
    def usage(self) -> Usage:
        details = self.prompt_tokens_details, self.completion_tokens_details
        return _usage(self.prompt_tokens, self.completion_tokens, self.total_tokens, *details)


class ResponseTokens(Struct, gc=False):
    """The `usage` of a response."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None

    @property
    def usage(self) -> Usage:
        details = self.input_tokens_details, self.output_tokens_details
        return _usage(self.input_tokens, self.output_tokens, self.total_tokens, *details)


def _usage(
    taken: int | None, given: int | None, total: int | None, inputs: InputDetails | None, outputs: OutputDetails | None
) -> Usage:
    inputs, outputs = inputs or InputDetails(), outputs or OutputDetails()
    return Usage(
        input_tokens=taken or 0,
        output_tokens=given or 0,
        cache_read_tokens=inputs.cached_tokens or 0,
        cache_write_tokens=inputs.cache_write_tokens or 0,
        reasoning_tokens=outputs.reasoning_tokens or 0,
        total_tokens=total or (taken or 0) + (given or 0),
    )
