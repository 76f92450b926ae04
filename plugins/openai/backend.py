"""Puts the backend together: where to send, how to write, how to read."""

from __future__ import annotations

from functools import partial

from clawmesh.abc.context import Services
from clawmesh.http.limits import Deadlines
from clawmesh.provider.assembly import Voice
from clawmesh.provider.backend import HttpBackend, Protocol
from clawmesh.provider.endpoint import Endpoint, Key

from . import completions, items, messages, responses
from .options import Options

PATHS = {"chat": "/chat/completions", "responses": "/responses"}


def backend(services: Services, options: Options) -> HttpBackend:
    """Return the backend for the API that the options choose.

    Raises:
        URLError: `base_url` is no URL.
    """

    def read_chat(voice: Voice) -> completions.Completion:
        return completions.Completion(voice, services.ids, options.provider)

    def read_response(voice: Voice) -> responses.Answer:
        return responses.Answer(voice, services.ids, options.provider)

    protocols = {
        "chat": Protocol(partial(messages.encode, options), read_chat),
        "responses": Protocol(partial(items.encode, options), read_response),
    }
    endpoint = Endpoint.at(options.base_url, PATHS[options.spoken], Key(options.api_key), options.headers)
    return HttpBackend(services, endpoint, protocols[options.spoken], Deadlines(silence=options.silence))
