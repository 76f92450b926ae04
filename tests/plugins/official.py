"""What the providers' own clients make of an answer: the oracle for our decoders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anthropic
import httpx
import httpx2
import ollama
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ResponseCompletedEvent, ResponseIncompleteEvent

from clawmesh.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

from .reading import Reading, arguments, counted
from .recordings import Recording

CLASSES: Mapping[str, type[BackendError]] = {
    "BadRequestError": BadRequestError,
    "AuthenticationError": AuthenticationError,
    "PermissionDeniedError": PermissionDeniedError,
    "NotFoundError": NotFoundError,
    "ConflictError": ConflictError,
    "UnprocessableEntityError": BadRequestError,
    "RateLimitError": RateLimitError,
    "InternalServerError": ServerError,
}
# Other names are base classes, which the clients raise for an error inside a stream, as it has no status.
UNREADABLE = (ValueError, RuntimeError)
# Ollama's client has one class for all of them, with the status in it.
STATUSES: Mapping[int, type[BackendError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    404: NotFoundError,
    429: RateLimitError,
    500: ServerError,
}


def serve(recording: Recording) -> httpx2.Client:
    """Return an HTTP client to which every request gives the recorded answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = recording.fields
        if recording.streamed:
            headers = {**headers, "content-type": "text/event-stream"}
        elif recording.body.lstrip().startswith("{"):
            headers = {**headers, "content-type": "application/json"}
        return httpx2.Response(recording.status, headers=headers, content=recording.body.encode())

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def read_chat(recording: Recording) -> Reading:
    """Read with `openai.OpenAI.chat.completions`."""
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1", http_client=serve(recording), max_retries=0)
    try:
        if recording.streamed:
            return _chat_stream(client.chat.completions.create(model="m", messages=[], stream=True))
        return _chat_whole(client.chat.completions.create(model="m", messages=[]))
    except (openai.APIError, *UNREADABLE) as error:
        return Reading(error=CLASSES.get(type(error).__name__, BackendError))


def _chat_whole(answer: ChatCompletion) -> Reading:
    if not isinstance(answer, ChatCompletion) or not answer.choices:
        return Reading(error=BackendError)
    choice = answer.choices[0]
    message = choice.message
    text: Any = message.content
    blocks = ""
    if isinstance(text, list):
        blocks = "".join(piece["text"] for block in text for piece in block.get("thinking", ()))
        text = "".join(block.get("text", "") for block in text)
    functions = [call.function for call in message.tool_calls or () if call.type != "custom"]
    calls = [(function.name, arguments(function.arguments)) for function in functions]
    if message.function_call and message.function_call.name:
        calls.append((message.function_call.name, arguments(message.function_call.arguments)))
    return Reading(
        text=(text or "") + (message.refusal or ""),
        reasoning=blocks or _thoughts(message.model_extra or {}),
        calls=tuple(calls),
        stop=choice.finish_reason or "",
        usage=_chat_usage(answer.usage),
    )


def _thoughts(extra: Mapping[str, Any]) -> str:
    """Return reasoning, for which the client has no field: it keeps what servers add."""
    details = extra.get("reasoning_details") or ()
    shown = "".join(detail.get("text") or detail.get("summary") or "" for detail in details)
    return extra.get("reasoning_content") or extra.get("reasoning") or shown


def _chat_stream(chunks: Iterable[ChatCompletionChunk]) -> Reading:
    texts, thoughts, stop = [], [], ""
    usage: dict[str, int] = {}
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        usage = _chat_usage(chunk.usage) if chunk.usage else usage
        for choice in chunk.choices[:1] if chunk.choices else ():
            stop = choice.finish_reason or stop
            texts.append((choice.delta.content or "") + (choice.delta.refusal or ""))
            thoughts.append(_thoughts(choice.delta.model_extra or {}))
            if choice.delta.function_call:
                _grow(calls, -1, choice.delta.function_call)
            for call in choice.delta.tool_calls or ():
                if call.function:
                    _grow(calls, call.index, call.function)
    named = tuple((name, arguments(text)) for name, text in calls.values())
    return Reading("".join(texts), "".join(thoughts), named, stop, usage)


def _grow(calls: dict[int, list[str]], index: int, function: Any) -> None:
    held = calls.setdefault(index, ["", ""])
    held[0] += function.name or ""
    held[1] += function.arguments or ""


def _chat_usage(usage: Any) -> dict[str, int]:
    if usage is None:
        return {}
    inputs, outputs = usage.prompt_tokens_details, usage.completion_tokens_details
    return counted(
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        cache_read=inputs.cached_tokens if inputs else 0,
        cache_write=inputs.cache_write_tokens if inputs else 0,
        reasoning=outputs.reasoning_tokens if outputs else 0,
    )


def read_anthropic(recording: Recording) -> Reading:
    """Read with `anthropic.Anthropic.messages`, a stream through its own accumulation."""
    client = anthropic.Anthropic(api_key="k", base_url="http://127.0.0.1", http_client=serve(recording), max_retries=0)
    try:
        if not recording.streamed:
            return _message(client.messages.create(model="m", messages=[], max_tokens=1))
        with client.messages.stream(model="m", messages=[], max_tokens=1) as stream:
            return _message(stream.get_final_message())
    except (anthropic.APIError, *UNREADABLE) as error:
        return Reading(error=CLASSES.get(type(error).__name__, BackendError))


def _message(answer: Any) -> Reading:
    if not getattr(answer, "content", None) and not getattr(answer, "stop_reason", None):
        return Reading(error=BackendError)
    details = answer.usage.output_tokens_details
    return Reading(
        text="".join(block.text for block in answer.content if block.type == "text"),
        reasoning="".join(block.thinking for block in answer.content if block.type == "thinking"),
        calls=tuple((block.name, block.input) for block in answer.content if block.type == "tool_use"),
        stop=answer.stop_reason or "",
        usage=counted(
            input=answer.usage.input_tokens,
            output=answer.usage.output_tokens,
            cache_read=answer.usage.cache_read_input_tokens,
            cache_write=answer.usage.cache_creation_input_tokens,
            reasoning=details.thinking_tokens if details else 0,
        ),
    )


def read_responses(recording: Recording) -> Reading:
    """Read with `openai.OpenAI.responses`; the last event of a stream holds the whole answer."""
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1", http_client=serve(recording), max_retries=0)
    try:
        asked = client.responses.create(model="m", input="", stream=recording.streamed)
        if not recording.streamed:
            return _response(asked)
        ends = [event for event in asked if isinstance(event, ResponseCompletedEvent | ResponseIncompleteEvent)]
        return _response(ends[-1].response) if ends else Reading(error=BackendError)
    except (openai.APIError, *UNREADABLE) as error:
        return Reading(error=CLASSES.get(type(error).__name__, BackendError))


def _response(answer: Any) -> Reading:
    if getattr(answer, "output", None) is None or answer.error or answer.status in ("failed", "cancelled"):
        return Reading(error=BackendError)
    contents = [content for item in answer.output if item.type == "message" for content in item.content]
    thoughts = [item for item in answer.output if item.type == "reasoning"]
    calls = [item for item in answer.output if item.type == "function_call"]
    usage, details = answer.usage, answer.incomplete_details
    return Reading(
        text="".join(content.text if content.type == "output_text" else content.refusal for content in contents),
        reasoning="".join(piece.text for item in thoughts for piece in [*(item.summary or ()), *(item.content or ())]),
        calls=tuple((call.name, arguments(call.arguments)) for call in calls),
        stop=(details.reason if details else None) or answer.status or "",
        usage=counted(
            input=usage.input_tokens,
            output=usage.output_tokens,
            cache_read=usage.input_tokens_details.cached_tokens,
            cache_write=getattr(usage.input_tokens_details, "cache_write_tokens", 0),
            reasoning=usage.output_tokens_details.reasoning_tokens,
        )
        if usage
        else {},
    )


def read_ollama(recording: Recording) -> Reading:
    """Read with `ollama.Client.chat`."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(recording.status, content=recording.body.encode())

    client = ollama.Client(host="http://127.0.0.1", transport=httpx.MockTransport(answer))
    try:
        answers = list(client.chat("m", stream=True)) if recording.streamed else [client.chat("m")]
    except ollama.ResponseError as error:
        return Reading(error=STATUSES.get(error.status_code, BackendError))
    messages = [answer.message for answer in answers]
    calls = [call.function for message in messages for call in message.tool_calls or ()]
    return Reading(
        text="".join(message.content or "" for message in messages),
        reasoning="".join(message.thinking or "" for message in messages),
        calls=tuple((call.name, dict(call.arguments)) for call in calls),
        stop=answers[-1].done_reason or "",
        usage=counted(input=answers[-1].prompt_eval_count, output=answers[-1].eval_count),
    )
