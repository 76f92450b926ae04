"""Holds responses and events against the Open Responses specification, as `openresponses-types` has it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

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
PACKAGE = "openresponses_types"
INSTALLED = find_spec(PACKAGE) is not None


def check_response(response: dict[str, Any]) -> None:
    """Check a response where the types are installed; `test_specification` says whether they are."""
    if INSTALLED:
        import_module(f"{PACKAGE}.types").ResponseResource.model_validate(_plain(response))


def check_events(events: list[dict[str, Any]]) -> None:
    """Check events as `check_response` does."""
    for event in events if INSTALLED else ():
        plain = {"response": _plain(event["response"])} if "response" in event else {}
        known = getattr(import_module(f"{PACKAGE}.types"), EVENTS[event["type"]])
        known.model_validate({**event, **plain})


def _plain(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response without the schema of its text: these types take null for one alone."""
    format = {**response["text"]["format"]}
    if "schema" in format:
        format["schema"] = None
    return {**response, "text": {**response["text"], "format": format}}
