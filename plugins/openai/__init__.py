"""OpenAI's API and what else speaks it: vLLM, llama.cpp, LM Studio, OpenRouter, Groq, Mistral, Gemini and more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from clawmesh import Backend, Duration, Secret, Services

from .options import HOST, Options


def openai(
    services: Services,
    /,
    *,
    base_url: str = f"https://{HOST}/v1",
    api_key: Secret | None = None,
    api: Literal["chat", "responses"] | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    body: Mapping[str, Any] | None = None,
    silence: Duration = 120.0,
) -> Backend:
    """Reach a model over OpenAI's protocols.

    Args:
        base_url: The address up to the version, such as `http://127.0.0.1:8080/v1`.
        api_key: Sent as a bearer token; local servers need none.
        api: "chat" for chat completions, which all servers speak; "responses" for Responses, which keep a model's
            reasoning between the steps of a turn. By default Responses with OpenAI itself, chat elsewhere.
        headers: Sent with every request.
        body: Fields put into every request, such as `{ top_k = 20 }`.
        silence: How long an answer may pause before it is given up.
    """
    from .backend import backend  # noqa: PLC0415 - start-up time: only a configuration with such a backend pays

    return backend(services, Options(base_url, api_key, api, headers or {}, body or {}, silence))


def register_backends() -> Mapping[str, Callable[..., Backend]]:
    return {"openai": openai}
