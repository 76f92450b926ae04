"""Every recorded answer, whole and in pieces, gives what the provider's own client makes of the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clawmesh.abc.backend import Backend
from clawmesh.abc.context import Services
from clawmesh.errors import BackendError
from clawmesh.http.headers import Headers
from clawmesh.messages import Message, Piece
from clawmesh.provider.assembly import Voice
from clawmesh.provider.response import Decoder, Response
from clawmesh.testing import seeded_ids
from plugins.anthropic import anthropic
from plugins.anthropic.decoder import Answer as AnthropicAnswer
from plugins.ollama import ollama
from plugins.ollama.decoder import Answer as OllamaAnswer
from plugins.openai import openai
from plugins.openai.completions import Completion
from plugins.openai.responses import Answer as ResponsesAnswer

from .official import read_anthropic, read_chat, read_ollama, read_responses
from .provider import HELLO, Answer, pieces_of, provider, services
from .reading import Reading, of_reply
from .recordings import Recording, of_kind

READERS: Mapping[str, Callable[[Recording], Reading]] = {
    "chat": read_chat,
    "responses": read_responses,
    "anthropic": read_anthropic,
    "ollama": read_ollama,
}
DECODERS: Mapping[str, Callable[[Voice, Any, str], Decoder]] = {
    "chat": Completion,
    "responses": ResponsesAnswer,
    "anthropic": AnthropicAnswer,
    "ollama": OllamaAnswer,
}
KINDS = {
    "openai/chat": "chat",
    "compat/chat": "chat",
    "openai/responses": "responses",
    "compat/responses": "responses",
    "anthropic/messages": "anthropic",
    "ollama/api/chat": "ollama",
}


def backend(protocol: str, host: Services, url: str) -> Backend:
    if protocol == "anthropic":
        return anthropic(host, base_url=url)
    if protocol == "ollama":
        return ollama(host, base_url=url)
    return openai(host, base_url=url, api="chat" if protocol == "chat" else "responses")


def check(found: Reading, expected: Reading) -> None:
    if expected.error is None:
        assert found == expected
    else:
        assert found.error is not None
        assert issubclass(found.error, expected.error)


def decoded(recording: Recording, protocol: str, pieces: list[bytes]) -> tuple[Reading, list[Piece]]:
    """Push a body straight into the decoder."""
    said: list[Piece] = []
    decoder = DECODERS[protocol](Voice(said.append), seeded_ids(), "p")
    response = Response(decoder, lines=protocol == "ollama", now=0.0)
    try:
        response.head(recording.status, Headers([]))
        for piece in pieces:
            response.feed(piece)
        return of_reply(response.finish()), said
    except BackendError as error:
        return Reading(error=type(error)), said


@pytest.mark.parametrize("recording", of_kind(*KINDS))
def test_a_recorded_answer_is_read_as_its_own_client_reads_it(recording: Recording) -> None:
    protocol = KINDS[recording.kind]
    expected = READERS[protocol](recording)
    body = recording.body.encode()
    for pieces in ([body], pieces_of(body, recording.id)):
        found, said = decoded(recording, protocol, pieces)
        check(found, expected)
        if found.error is None:
            streamed = Message("assistant", tuple(said))  # type: ignore[arg-type]  # no retraction comes from here
            assert (streamed.text, streamed.reasoning) == (found.text, found.reasoning)
            assert len(streamed.calls) == len(found.calls)


@pytest.mark.anyio
@pytest.mark.parametrize("protocol", READERS)
async def test_recorded_answers_come_through_a_socket_the_same(protocol: str) -> None:
    rows = [param.values[0] for param in of_kind(*(kind for kind in KINDS if KINDS[kind] == protocol))]
    if rows == [None]:
        pytest.skip("no recordings")
    for row in rows:
        body = row.body.encode()
        answers = [Answer(body, row.status, row.fields, pieces) for pieces in ((), pieces_of(body, row.id))]
        async with provider(*answers) as asked, services() as host:
            for answer in answers:
                found = await read(backend(protocol, host, asked.url))
                check(found, decoded(row, protocol, [answer.body])[0])


async def read(asked: Backend) -> Reading:
    try:
        return of_reply(await asked.complete(HELLO, lambda piece: None))
    except BackendError as error:
        return Reading(error=type(error))
