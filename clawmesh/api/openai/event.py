"""The events of a response's stream.

Source: OpenAI API reference, "Streaming events"; Open Responses specification. Each has a number of its own, and says
which item and which part of it is meant.
"""

from __future__ import annotations

from msgspec import Struct

from clawmesh.api.openai.item import Item, Part, Response


class Event(Struct, frozen=True, kw_only=True):
    type: str
    sequence_number: int


class ResponseEvent(Event, frozen=True, kw_only=True):
    """How the whole response stands."""

    response: Response


class ItemEvent(Event, frozen=True, kw_only=True):
    """An item begins or ends."""

    output_index: int
    item: Item


class Within(Event, frozen=True, kw_only=True):
    """Something of one item."""

    output_index: int
    item_id: str


class PartEvent(Within, frozen=True, kw_only=True):
    content_index: int = 0
    part: Part


class TextDelta(Within, frozen=True, kw_only=True):
    type: str = "response.output_text.delta"
    content_index: int = 0
    delta: str
    logprobs: tuple[()] = ()


class TextDone(Within, frozen=True, kw_only=True):
    type: str = "response.output_text.done"
    content_index: int = 0
    text: str
    logprobs: tuple[()] = ()


class RefusalDelta(Within, frozen=True, kw_only=True):
    type: str = "response.refusal.delta"
    content_index: int = 0
    delta: str


class RefusalDone(Within, frozen=True, kw_only=True):
    type: str = "response.refusal.done"
    content_index: int = 0
    refusal: str


class SummaryPart(Within, frozen=True, kw_only=True):
    summary_index: int = 0
    part: Part


class SummaryDelta(Within, frozen=True, kw_only=True):
    type: str = "response.reasoning_summary_text.delta"
    summary_index: int = 0
    delta: str


class SummaryDone(Within, frozen=True, kw_only=True):
    type: str = "response.reasoning_summary_text.done"
    summary_index: int = 0
    text: str


class ArgumentsDelta(Within, frozen=True, kw_only=True):
    type: str = "response.function_call_arguments.delta"
    delta: str


class ArgumentsDone(Within, frozen=True, kw_only=True):
    type: str = "response.function_call_arguments.done"
    name: str
    arguments: str
