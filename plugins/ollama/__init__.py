"""Models that run on this machine or near it, through Ollama's own API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clawmesh import Backend, Duration, Secret, Services

from .options import Options


def ollama(
    services: Services,
    /,
    *,
    base_url: str = "http://127.0.0.1:11434",
    api_key: Secret | None = None,
    num_ctx: int | None = None,
    keep_alive: str | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    body: Mapping[str, Any] | None = None,
    silence: Duration = 300.0,
) -> Backend:
    """Reach a model over Ollama's chat API.

    Args:
        base_url: The address before `/api/chat`.
        api_key: Sent as a bearer token; a server of your own needs none.
        num_ctx: The context window in tokens; without it Ollama takes a small one and forgets what is beyond.
        keep_alive: How long the model stays in memory, such as "10m".
        headers: Sent with every request.
        body: Fields put into every request.
        silence: How long an answer may pause before it is given up.
    """
    from .backend import backend  # noqa: PLC0415 - start-up time: only a configuration with such a backend pays

    options = Options(base_url, api_key, num_ctx, keep_alive, headers or {}, body or {}, silence)
    return backend(services, options)


def register_backends() -> Mapping[str, Callable[..., Backend]]:
    return {"ollama": ollama}
