"""Puts the backend together: where to send, how to write, how to read."""

from __future__ import annotations

from functools import partial

from clawmesh.abc.context import Services
from clawmesh.http.limits import Deadlines
from clawmesh.provider.assembly import Voice
from clawmesh.provider.backend import HttpBackend, Protocol
from clawmesh.provider.endpoint import Endpoint, Key

from .decoder import Answer
from .messages import encode
from .options import Options

VERSION = {"anthropic-version": "2023-06-01"}


def backend(services: Services, options: Options) -> HttpBackend:
    """Return the backend.

    Raises:
        URLError: `base_url` is no URL.
    """

    def read(voice: Voice) -> Answer:
        return Answer(voice, services.ids, options.provider)

    key = Key(options.api_key, header="x-api-key", prefix="")
    base = options.base_url.rstrip("/").removesuffix("/v1")
    endpoint = Endpoint.at(base, "/v1/messages", key, VERSION | dict(options.headers))
    return HttpBackend(services, endpoint, Protocol(partial(encode, options), read), Deadlines(silence=options.silence))
