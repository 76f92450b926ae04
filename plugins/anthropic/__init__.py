"""Anthropic's Messages API, and the servers which speak it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clawmesh import Backend, Duration, Secret, Services

from .options import Options


def anthropic(
    services: Services,
    /,
    *,
    base_url: str = "https://api.anthropic.com",
    api_key: Secret | None = None,
    max_tokens: int = 16_384,
    thinking_budget: int = 0,
    cache: bool = True,
    headers: Mapping[str, str | Secret] | None = None,
    body: Mapping[str, Any] | None = None,
    silence: Duration = 120.0,
) -> Backend:
    """Reach a model over the Messages API.

    Args:
        base_url: The address before `/v1/messages`, with or without the version.
        api_key: Sent as `x-api-key`.
        max_tokens: The longest answer, where the agent does not say; the API asks for a number.
        thinking_budget: Tokens to think with, for older models; 0 lets the model decide, as newer ones want it.
        cache: Mark the parts of a request that stay the same, so that the provider need not read them again.
        headers: Sent with every request, such as `{ anthropic-beta = "…" }`.
        body: Fields put into every request.
        silence: How long an answer may pause before it is given up.
    """
    from .backend import backend  # noqa: PLC0415 - start-up time: only a configuration with such a backend pays

    options = Options(base_url, api_key, max_tokens, thinking_budget, cache, headers or {}, body or {}, silence)
    return backend(services, options)


def register_backends() -> Mapping[str, Callable[..., Backend]]:
    return {"anthropic": anthropic}
