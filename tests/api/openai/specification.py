"""Holds what is sent against the types of OpenAI's client, and responses against the Open Responses specification too.

The latter is there where `openresponses-types` is installed; `test_specification` says whether it is.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

EVENTS = {
    "response.created": "ResponseCreatedStreamingEvent",
    "response.in_progress": "ResponseInProgressStreamingEvent",
    "response.completed": "ResponseCompletedStreamingEvent",
    "response.failed": "ResponseFailedStreamingEvent",
    "response.incomplete": "ResponseIncompleteStreamingEvent",
    "response.output_item.added": "ResponseOutputItemAddedStreamingEvent",
    "response.output_item.done": "ResponseOutputItemDoneStreamingEvent",
    "response.content_part.added": "ResponseContentPartAddedStreamingEvent",
    "response.content_part.done": "ResponseContentPartDoneStreamingEvent",
    "response.output_text.delta": "ResponseOutputTextDeltaStreamingEvent",
    "response.output_text.done": "ResponseOutputTextDoneStreamingEvent",
    "response.refusal.delta": "ResponseRefusalDeltaStreamingEvent",
    "response.refusal.done": "ResponseRefusalDoneStreamingEvent",
    "response.reasoning_summary_part.added": "ResponseReasoningSummaryPartAddedStreamingEvent",
    "response.reasoning_summary_part.done": "ResponseReasoningSummaryPartDoneStreamingEvent",
    "response.reasoning_summary_text.delta": "ResponseReasoningSummaryDeltaStreamingEvent",
    "response.reasoning_summary_text.done": "ResponseReasoningSummaryDoneStreamingEvent",
    "response.function_call_arguments.delta": "ResponseFunctionCallArgumentsDeltaStreamingEvent",
    "response.function_call_arguments.done": "ResponseFunctionCallArgumentsDoneStreamingEvent",
}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PACKAGE = "openresponses_types"
INSTALLED = find_spec(PACKAGE) is not None


def check_response(response: dict[str, Any]) -> None:
    Response.model_validate(response)
    if INSTALLED:
        import_module(f"{PACKAGE}.types").ResponseResource.model_validate(_plain(response))


def check_events(events: list[dict[str, Any]]) -> None:
    for event in events:
        kind = EVENT.validate_python(event)
        assert kind.type == event["type"]
    for event in events if INSTALLED else ():
        plain = {"response": _plain(event["response"])} if "response" in event else {}
        known = getattr(import_module(f"{PACKAGE}.types"), EVENTS[event["type"]])
        known.model_validate({**event, **plain})


def check_completion(completion: dict[str, Any]) -> None:
    ChatCompletion.model_validate(completion)


def check_chunks(chunks: list[dict[str, Any]]) -> None:
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)


def _plain(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response without the schema of its text: these types take null for one alone."""
    format = {**response["text"]["format"]}
    if "schema" in format:
        format["schema"] = None
    return {**response, "text": {**response["text"], "format": format}}
