"""The routes of OpenAI's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from clawmesh.api.openai import chat, responses
from clawmesh.api.openai.caller import Caller
from clawmesh.api.openai.completion import CompletionStream, CompletionWhole, Head
from clawmesh.api.openai.exchange import QUIET, Exchange, Left, Mesh, send_fault, send_json
from clawmesh.api.openai.fault import Fault, Rejection, fault_of
from clawmesh.api.openai.fields import Fields
from clawmesh.api.openai.past import PARAM, Stories, envelope_of, recall
from clawmesh.api.openai.response import ResponseStream, ResponseWhole
from clawmesh.api.openai.responses import Before
from clawmesh.clock import Clock
from clawmesh.config.model import AgentConfig
from clawmesh.errors import ClawmeshError
from clawmesh.ids import Ids
from clawmesh.server.request import Application, Receive, Scope, Send

Row: TypeAlias = tuple[str, str, Application]
"""Method, path and what answers; `{id}` in a path stands for one segment of it."""
Answer: TypeAlias = Callable[[Caller, Scope, Receive, Send], Awaitable[None]]


class Model(Struct, frozen=True):
    """An agent, as a model."""

    id: str
    created: int
    object: str = "model"
    owned_by: str = "clawmesh"


class Models(Struct, frozen=True):
    data: Sequence[Model]
    object: str = "list"


class OpenAI:
    """Speaks OpenAI's API for the agents of a mesh.

    A guard in front puts the caller's token into `scope["state"]["token"]`. `stories` finds what was said before a
    response that a request goes on from; without it none can be. `quiet` is after how many seconds of silence a stream
    says that it lives.
    """

    def __init__(
        self,
        mesh: Mesh,
        agents: Mapping[str, AgentConfig],
        clock: Clock,
        ids: Ids,
        *,
        stories: Stories | None = None,
        quiet: float = QUIET,
    ) -> None:
        self._mesh = mesh
        self._agents = agents
        self._clock = clock
        self._ids = ids
        self._stories = stories
        self._quiet = quiet
        self._began = int(clock.now())

    def rows(self) -> Iterator[Row]:
        """Yield what a router needs."""
        yield "POST", "/v1/chat/completions", self.chat
        yield "POST", "/v1/responses", self.responses
        yield "GET", "/v1/responses/{id}", self.response
        yield "DELETE", "/v1/responses/{id}", self.response
        yield "GET", "/v1/models", self.models
        yield "GET", "/v1/models/{id}", self.model
        yield "POST", "/v1/embeddings", self.embeddings

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `POST /v1/chat/completions`."""
        await _answer(self._chat, scope, receive, send)

    async def responses(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `POST /v1/responses`."""
        await _answer(self._responses, scope, receive, send)

    async def response(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `GET` and `DELETE /v1/responses/{id}`: the journal has a response's words, not all of its fields."""
        await _answer(_no_response, scope, receive, send)

    async def models(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `GET /v1/models` with the agents that the caller's token knows."""
        await _answer(self._list, scope, receive, send)

    async def model(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `GET /v1/models/{id}`."""
        await _answer(self._show, scope, receive, send)

    async def embeddings(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `POST /v1/embeddings`, which no backend offers."""
        await _answer(_no_embeddings, scope, receive, send)

    async def _chat(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        caller.check("talk")
        body = await _body(receive)
        if body is None:
            return
        request = chat.read(body, caller, self._agents, self._ids)
        head = Head(int(self._clock.now()), request.model)
        headers = _headers(request.kept)
        if request.stream:
            writer = CompletionStream(head, usage=request.usage)
            await Exchange(self._mesh, request.order, writer, headers).stream(_left(scope), send, self._quiet)
        else:
            await Exchange(self._mesh, request.order, CompletionWhole(head), headers).whole(_left(scope), send)

    async def _responses(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        caller.check("talk")
        body = await _body(receive)
        if body is None:
            return
        fields = Fields.parse(body)
        before = await self._before(fields, caller)
        request = responses.read(fields, before, caller, self._agents, self._ids)
        headers = _headers(request.kept)
        writer = ResponseStream(request.echo, self._clock, self._ids)
        if request.stream:
            await Exchange(self._mesh, request.order, writer, headers).stream(_left(scope), send, self._quiet)
        else:
            await Exchange(self._mesh, request.order, ResponseWhole(writer), headers).whole(_left(scope), send)

    async def _before(self, fields: Fields, caller: Caller) -> Before:
        id = fields.get(PARAM, str)
        if not id:
            return Before()
        if self._stories is None:
            raise fields.wrong(PARAM, "is not offered: send the items, or name a conversation", "unsupported_parameter")
        return Before(id, await recall(self._stories, id, caller))

    async def _list(self, caller: Caller, _scope: Scope, _receive: Receive, send: Send) -> None:
        caller.check("read", "talk")
        known = [Model(name, self._began) for name in self._agents if caller.token.knows(name)]
        await send_json(send, msgspec.json.encode(Models(known)), ())

    async def _show(self, caller: Caller, scope: Scope, _receive: Receive, send: Send) -> None:
        caller.check("read", "talk")
        agent = caller.agent(_last(scope), self._agents)
        await send_json(send, msgspec.json.encode(Model(agent.name, self._began)), ())


async def _answer(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await answer(Caller.of(scope), scope, receive, send)
    except Rejection as rejection:
        await send_fault(send, rejection.fault)
    except ClawmeshError as error:
        await send_fault(send, fault_of(error))


async def _no_embeddings(caller: Caller, _scope: Scope, _receive: Receive, _send: Send) -> None:
    caller.check("talk")
    raise Rejection(
        Fault(status=400, message="no backend of this mesh offers embeddings", param="model", code="unsupported")
    )


async def _no_response(caller: Caller, scope: Scope, _receive: Receive, _send: Send) -> None:
    caller.check("talk")
    id = _last(scope)
    message = f"responses cannot be read again here: GET /api/messages/{envelope_of(id)} tells what became of it"
    raise Rejection(Fault(status=404, message=message, param="id", code="not_found"))


async def _body(receive: Receive) -> bytes | None:
    """Return a request's body, which the server bounds; None if the client has left."""
    pieces: list[bytes] = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        pieces.append(event.get("body", b""))
        if not event.get("more_body", False):
            return b"".join(pieces)


def _headers(kept: str) -> Sequence[tuple[bytes, bytes]]:
    """Return what answers say besides: the session that is kept."""
    return ((b"x-clawmesh-session", kept.encode("ascii")),) if kept else ()


def _left(scope: Scope) -> Left:
    left: Left = scope["extensions"]["clawmesh.left"]
    return left


def _last(scope: Scope) -> str:
    path: str = scope["path"]
    return path.rpartition("/")[2]
