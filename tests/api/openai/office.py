"""A mesh of model agents behind OpenAI's API, called as ASGI without a socket."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from clawmesh.abc.backend import Backend, Reply, Request
from clawmesh.abc.context import Services
from clawmesh.agent.function import FunctionTool
from clawmesh.agent.hooks import Hooks
from clawmesh.agent.roster import Parts, Roster
from clawmesh.agent.session import Sessions
from clawmesh.api.openai.door import OpenAI
from clawmesh.api.token import Token
from clawmesh.clock import SystemClock
from clawmesh.config.model import AgentConfig, MeshSettings
from clawmesh.config.source import Place, Source
from clawmesh.journal.memory import MemoryJournal
from clawmesh.mesh.engine import Engine, Means, open_engine
from clawmesh.messages import Emit, Piece
from clawmesh.server.request import Application, Event
from clawmesh.testing import RehearsedBackend, seeded_ids

NOWHERE: Any = None
OWNER = Token("owner", "", ("admin",))
NOBODY = Token("nobody", "", ("read",))
GUEST = Token("guest", "", ("talk",), ("helper",))
PLACE = Place(Source(Path("clawmesh.toml")), ("agents", "helper"))


def agent(name: str = "helper", **settings: Any) -> AgentConfig:
    return AgentConfig(name=name, backend=("b",), model="m", place=PLACE, **settings)


class Answer:
    """What came back of one request."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []
        self.done = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def message(self) -> str:
        """The id of the message that was answered, without its kind."""
        return self.headers["x-request-id"].removeprefix("env_")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> list[str]:
        """The data of every event of a stream."""
        return [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]

    @property
    def events(self) -> list[Any]:
        return [json.loads(data) for data in self.data if data != "[DONE]"]


class Client:
    """Calls an ASGI application as a server does; `leave` is what a client does that hangs up."""

    def __init__(self, body: bytes, *, slow: anyio.Event | None = None) -> None:
        self.answer = Answer()
        self.begun = anyio.Event()
        self._body = [body]
        self._left: list[Callable[[], None]] = []
        self._slow = slow

    def leave(self) -> None:
        for call in self._left:
            call()

    def when_left(self, call: Callable[[], None]) -> None:
        self._left.append(call)

    async def receive(self) -> Event:
        return {"type": "http.request", "body": self._body.pop(), "more_body": False}

    async def send(self, event: Event) -> None:
        answer = self.answer
        if event["type"] == "http.response.start":
            answer.status = event["status"]
            answer.headers = {name.decode(): value.decode() for name, value in event["headers"]}
            return
        assert answer.status
        answer.pieces.append(event.get("body", b""))
        answer.done = not event.get("more_body", False)
        self.begun.set()
        if self._slow is not None:
            await self._slow.wait()


class Office:
    """The API of one mesh."""

    def __init__(self, openai: OpenAI, engine: Engine) -> None:
        self.openai = openai
        self.engine = engine
        self.rows: Mapping[tuple[str, str], Application] = {
            (method, path): answer for method, path, answer in openai.rows()
        }

    def scope(self, path: str, token: Token, headers: Mapping[str, str], client: Client) -> dict[str, Any]:
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        left = {"clawmesh.left": client.when_left}
        return {"type": "http", "path": path, "headers": fields, "state": {"token": token}, "extensions": left}

    def row(self, method: str, path: str) -> Application:
        return next(answer for (verb, row), answer in self.rows.items() if verb == method and _fits(row, path))

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        token: Token = OWNER,
        headers: Mapping[str, str] | None = None,
        client: Client | None = None,
    ) -> Answer:
        client = client or Client(body if isinstance(body, bytes) else json.dumps(body).encode())
        await self.row(method, path)(self.scope(path, token, headers or {}, client), client.receive, client.send)
        return client.answer

    async def chat(self, messages: Any = "hi", **rest: Any) -> Answer:
        """Ask for a completion; what is no field of the request is for `call`."""
        call = {name: rest.pop(name) for name in ("token", "headers", "client") if name in rest}
        said = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return await self.call("/v1/chat/completions", {"model": "helper", "messages": said, **rest}, **call)


def _fits(row: str, path: str) -> bool:
    return row == path or (row.endswith("{id}") and path.startswith(row[: -len("{id}")]))


class Scripted:
    """Says the pieces that a function gives for a request, waiting where there is an event among them."""

    def __init__(self, reply: Reply, *pieces: Piece | anyio.Event) -> None:
        self._reply = reply
        self._pieces = pieces
        self.requests: list[Request] = []
        self.left = anyio.Event()

    async def complete(self, request: Request, emit: Emit) -> Reply:
        self.requests.append(request)
        try:
            for piece in self._pieces:
                if isinstance(piece, anyio.Event):
                    await piece.wait()
                else:
                    emit(piece)
        except BaseException:
            self.left.set()
            raise
        return self._reply


@asynccontextmanager
async def office(
    backend: Backend | Sequence[Any] = (),
    *agents: AgentConfig,
    tools: Sequence[Callable[..., Any]] = (),
    coded: Mapping[str, Any] | None = None,
    quiet: float = 60.0,
) -> AsyncIterator[Office]:
    """Open a mesh of agents with one backend, or the lines that it is to say."""
    clock, ids = SystemClock(), seeded_ids()
    speaker = backend if not isinstance(backend, Sequence) else RehearsedBackend(*backend)
    configs = {each.name: each for each in agents or (agent(),)}
    settings, journal = MeshSettings(), MemoryJournal(clock)
    sessions = Sessions(journal, clock, settings, lambda _: 200, 1 << 40)
    parts = Parts(
        agents=configs,
        backends={"b": speaker},
        models={"b": "m"},
        tools={tool.__name__: FunctionTool(tool, tool.__name__) for tool in tools},
        memories={},
        coded=coded or {},
        hooks=Hooks([], lambda _: None, clock),
        services=Services(NOWHERE, clock, ids, random.Random(0), Path()),
        sessions=sessions,
        report=lambda _: None,
    )
    means = Means(clock, ids, journal, lambda _: None)
    async with open_engine(Roster(parts).handle, dict.fromkeys(configs, ()), settings, means) as engine:
        yield Office(OpenAI(engine, configs, clock, ids, stories=engine.log.story, quiet=quiet), engine)


def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}},
    },
}
