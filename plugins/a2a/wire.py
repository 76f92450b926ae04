"""The two bindings from the client's side: one call at a time, its answer whole or in events.

Source: A2A specification 1.0, sections 9 and 11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from clawmesh.a2a.values import VERSION, Event, tidy
from clawmesh.errors import FailedError, OversizeError
from clawmesh.http.headers import Headers
from clawmesh.http.limits import Deadlines
from clawmesh.http.lines import EventStream
from clawmesh.http.target import Target
from clawmesh.http.transport import Transport

from .card import Way
from .fault import error_of

BODY_BYTES = 16 * 1024 * 1024
SILENCE = 120.0
# How long it takes to hear of a task that is asked for or to be cancelled.
BRIEF = 60.0

PATHS: Mapping[str, tuple[str, str]] = {
    "SendMessage": ("POST", "/message:send"),
    "SendStreamingMessage": ("POST", "/message:stream"),
    "GetTask": ("GET", "/tasks/{id}"),
    "CancelTask": ("POST", "/tasks/{id}:cancel"),
    "SubscribeToTask": ("POST", "/tasks/{id}:subscribe"),
}

Take: TypeAlias = Callable[[Event], bool]
"""Takes an event; False where nothing that follows is of any interest."""


class Wire:
    """Reaches one agent one way; every method raises TransportError, and ClawmeshError by type as the agent says."""

    def __init__(self, transport: Transport, way: Way, headers: Mapping[str, str]) -> None:
        self._transport = transport
        self._way = way
        media = "application/json" if way.binding == "JSONRPC" else "application/a2a+json"
        self._headers = {**headers, "a2a-version": VERSION, "content-type": media}
        self._number = 0

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Return what a method gives, as JSON."""
        answer = _Answer(lambda _event, _data: None)
        await self._send(method, params, answer, Deadlines(head=BRIEF, silence=BRIEF, total=BRIEF))
        return self._result(answer.status, answer.value())

    async def stream(self, method: str, params: Mapping[str, Any], take: Take, seconds: float) -> None:
        """Give every event to `take`, as they come, until the stream's end or until it wants no more."""

        def hear(event: str, data: bytes) -> None:
            value = _decoded(data)
            result = self._result(200, {"error": value.get("error")} if event == "error" else value)
            if not take(_event(result)):
                raise _EnoughError

        answer = _Answer(hear)
        try:
            await self._send(method, params, answer, Deadlines(head=seconds, silence=SILENCE, total=seconds))
            if not answer.streamed:
                take(_event(self._result(answer.status, answer.value())))
        except _EnoughError:
            return

    async def _send(self, method: str, params: Mapping[str, Any], answer: _Answer, deadlines: Deadlines) -> None:
        tenant = {"tenant": self._way.tenant} if self._way.tenant else {}
        accept = {"accept": "text/event-stream, application/json, application/a2a+json"}
        headers = {**self._headers, **accept}
        if self._way.binding == "JSONRPC":
            self._number += 1
            envelope = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": {**tenant, **params}}
            target, body = Target.parse(self._way.url, headers=headers), msgspec.json.encode(envelope)
        else:
            verb, path = PATHS[method]
            # The agent named the task; what it named is no path of its own making.
            id = str(params.get("id", "")).replace("/", "%2F").replace("?", "%3F").replace("#", "%23")
            place = f"/{self._way.tenant}" if self._way.tenant else ""
            target = Target.parse(self._way.url + place + path.format(id=id), method=verb, headers=headers)
            body = msgspec.json.encode({**tenant, **params}) if verb == "POST" else b""
        await self._transport.exchange(target, body, answer, deadlines)

    def _result(self, status: int, value: dict[str, Any]) -> Any:
        """Return what an answer gives; raises as it says."""
        if value.get("error") is not None or status // 100 != 2:
            raise error_of(status, value.get("error"), self._way.url)
        if self._way.binding != "JSONRPC":
            return value
        if "result" not in value:
            raise FailedError(f"{self._way.url}: this is no response of JSON-RPC")
        return value["result"]


class _EnoughError(Exception):
    """Ends an exchange of which nothing more is wanted."""


class _Answer:
    """The sink of one exchange: events go to `hear`, everything else is kept whole."""

    def __init__(self, hear: Callable[[str, bytes], None]) -> None:
        self.status = 0
        self.streamed = False
        self._hear = hear
        self._events: EventStream | None = None
        self._body = bytearray()

    def head(self, status: int, headers: Headers) -> None:
        self.status = status
        media = (headers.get("content-type") or "").partition(";")[0].strip().lower()
        if status // 100 == 2 and media == "text/event-stream":
            self.streamed = True
            self._events = EventStream(self._hear)

    def feed(self, data: bytes) -> None:
        if self._events is not None:
            self._events.feed(data)
            return
        self._body += data
        if len(self._body) > BODY_BYTES:
            raise OversizeError(f"the answer is larger than {BODY_BYTES} bytes")

    def value(self) -> dict[str, Any]:
        """Return the body as JSON; one of an error need not be any."""
        if self.status // 100 == 2:
            return _decoded(bytes(self._body))
        try:
            return _decoded(bytes(self._body))
        except FailedError:
            return {}


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FailedError(f"the answer cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise FailedError("the answer is no JSON object")
    return value


def _event(value: Any) -> Event:
    try:
        return msgspec.convert(tidy(value), Event)
    except (msgspec.ValidationError, RecursionError) as error:
        raise FailedError(f"this is no event of A2A: {error}") from error
