"""The two bindings: JSON-RPC, and HTTP with JSON.

Source: A2A specification 1.0, sections 5.3 "Method Mapping Reference", 9 and 11; JSON-RPC 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from clawmesh.a2a.call import Call, answer, media_type
from clawmesh.a2a.desk import Desk
from clawmesh.a2a.fault import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    PERMISSION_DENIED,
    A2aError,
    Kind,
    http_error,
    kind_of,
    rpc_error,
)
from clawmesh.a2a.mesh import Holder, Mesh
from clawmesh.a2a.request import Configs, Listing, Named, Sending, Tenancy, read
from clawmesh.a2a.stream import EventStream
from clawmesh.a2a.values import PushConfig, tidy
from clawmesh.config.model import AgentConfig
from clawmesh.errors import ClawmeshError
from clawmesh.server.request import Receive, Scope, Send

JSON, MEDIA = b"application/json", b"application/a2a+json"
READABLE = frozenset({JSON.decode(), MEDIA.decode()})
ALLOW = Kind("METHOD_NOT_ALLOWED", METHOD_NOT_FOUND.code, 405, "UNIMPLEMENTED")

Handle: TypeAlias = Callable[[Holder, AgentConfig, Any], Awaitable[Any]]


class Operation(Struct, frozen=True):
    """What does an operation, with which parameters, for whom; one that streams returns what tells its events."""

    type: type[Any]
    handle: Handle
    needs: Literal["talk", "see"] = "see"
    streams: bool = False


def operations(desk: Desk) -> Mapping[str, Operation]:
    """Return the operations by the names that JSON-RPC has for them."""
    return {
        "SendMessage": Operation(Sending, desk.send, "talk"),
        "SendStreamingMessage": Operation(Sending, desk.stream, "talk", streams=True),
        "GetTask": Operation(Named, desk.get),
        "ListTasks": Operation(Listing, desk.list),
        "CancelTask": Operation(Named, desk.cancel, "talk"),
        "SubscribeToTask": Operation(Named, desk.subscribe, streams=True),
        "CreateTaskPushNotificationConfig": Operation(PushConfig, desk.create_push, "talk"),
        "GetTaskPushNotificationConfig": Operation(Configs, desk.get_push),
        "ListTaskPushNotificationConfigs": Operation(Configs, desk.list_push),
        "DeleteTaskPushNotificationConfig": Operation(Configs, desk.delete_push, "talk"),
        "GetExtendedAgentCard": Operation(Tenancy, desk.extended_card),
    }


# Subscribing is a POST in the specification's text and a GET in its Protocol Buffer definition: both are taken.
PATHS: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (verb, re.compile(pattern), name)
    for verb, pattern, name in (
        ("POST", r"message:send", "SendMessage"),
        ("POST", r"message:stream", "SendStreamingMessage"),
        ("GET", r"tasks", "ListTasks"),
        ("POST", r"tasks/(?P<id>[^/:]+):cancel", "CancelTask"),
        ("POST", r"tasks/(?P<id>[^/:]+):subscribe", "SubscribeToTask"),
        ("GET", r"tasks/(?P<id>[^/:]+):subscribe", "SubscribeToTask"),
        ("GET", r"tasks/(?P<id>[^/:]+)", "GetTask"),
        ("POST", r"tasks/(?P<taskId>[^/:]+)/pushNotificationConfigs", "CreateTaskPushNotificationConfig"),
        ("GET", r"tasks/(?P<taskId>[^/:]+)/pushNotificationConfigs", "ListTaskPushNotificationConfigs"),
        ("GET", r"tasks/(?P<taskId>[^/:]+)/pushNotificationConfigs/(?P<id>[^/]+)", "GetTaskPushNotificationConfig"),
        (
            "DELETE",
            r"tasks/(?P<taskId>[^/:]+)/pushNotificationConfigs/(?P<id>[^/]+)",
            "DeleteTaskPushNotificationConfig",
        ),
        ("GET", r"extendedAgentCard", "GetExtendedAgentCard"),
    )
)


class Rpc:
    """JSON-RPC for one agent by its path, or for the one that the parameters name as `tenant`."""

    def __init__(self, mesh: Mesh, offered: Mapping[str, Operation]) -> None:
        self._mesh = mesh
        self._operations = offered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call, id = Call(scope, receive), None
        try:
            require_verb(call, "POST")
            envelope = await _json(call)
            id = _id(envelope)
            call.require_version()
            operation, params = self._asked(envelope)
            agent = _agent(self._mesh, call, params)
            _require(call.holder, operation)
            value = await operation.handle(call.holder, agent, read(params, operation.type))
        except ClawmeshError as error:
            status = kind_of(error).status if kind_of(error) in (PERMISSION_DENIED, ALLOW) else 200
            await answer(send, _response(id, error=rpc_error(error)), status=status, media=JSON)
            return
        if not operation.streams:
            await answer(send, _response(id, result=value), media=JSON)
            return
        stream = EventStream(scope, send)
        await stream.follow(
            lambda: value(lambda event: stream.tell(_response(id, result=event))),
            lambda error: stream.tell(_response(id, error=rpc_error(error))),
        )

    def _asked(self, envelope: dict[str, Any]) -> tuple[Operation, Any]:
        method, params = envelope.get("method"), envelope.get("params", {})
        if envelope.get("jsonrpc") != "2.0" or type(method) is not str or type(params) is not dict:
            raise A2aError(INVALID_REQUEST, "this is no request of JSON-RPC 2.0")
        if method not in self._operations:
            raise A2aError(METHOD_NOT_FOUND, f'there is no method "{method}"; there are {", ".join(self._operations)}')
        return self._operations[method], _tidied(params)


class Rest:
    """HTTP and JSON, by paths below the agent's."""

    def __init__(self, mesh: Mesh, offered: Mapping[str, Operation]) -> None:
        self._mesh = mesh
        self._operations = offered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive)
        try:
            name, named = _path(scope["method"], call.part("rest"))
            operation = self._operations[name]
            call.require_version()
            loose = scope["method"] != "POST"
            params = _tidied({**(_query(call) if loose else await _json(call, empty=True)), **named})
            agent = _agent(self._mesh, call, params)
            _require(call.holder, operation)
            value = await operation.handle(call.holder, agent, read(params, operation.type, loose=loose))
        except ClawmeshError as error:
            await answer(send, http_error(error), status=kind_of(error).status, media=MEDIA)
            return
        if not operation.streams:
            await answer(send, value, media=MEDIA)
            return
        stream = EventStream(scope, send)
        await stream.follow(lambda: value(stream.tell), lambda error: stream.tell(http_error(error), "error"))


def require_verb(call: Call, *verbs: str) -> None:
    """Raise A2aError where a path is for other verbs of HTTP."""
    if call.scope["method"] not in verbs:
        raise A2aError(ALLOW, f"{call.scope['path']} is for {', '.join(verbs)}")


def _path(verb: str, path: str) -> tuple[str, dict[str, str]]:
    """Return which operation a path is for, and what it names."""
    found = [(known, match, name) for known, pattern, name in PATHS if (match := pattern.fullmatch(path))]
    if not found:
        raise A2aError(METHOD_NOT_FOUND, f"there is nothing at {path}")
    for known, match, name in found:
        if known == verb:
            return name, match.groupdict()
    raise A2aError(ALLOW, f"{path} is for {', '.join(known for known, _, _ in found)}")


def _query(call: Call) -> dict[str, str]:
    pairs = parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=False)
    return dict(pairs)


async def _json(call: Call, *, empty: bool = False) -> dict[str, Any]:
    """Return the request's body, an object; `empty` says that there may be none."""
    body = await call.body()
    if empty and not body:
        return {}
    media = media_type(call)
    if media not in READABLE:
        raise A2aError(INVALID_REQUEST, f"found content-type {media or 'nothing'!r}, expected application/json")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise A2aError(PARSE_ERROR, f"the body cannot be read: {error}") from error
    if type(value) is not dict:
        raise A2aError(INVALID_REQUEST, "the body is no JSON object")
    return value


def _tidied(params: dict[str, Any]) -> dict[str, Any]:
    try:
        tidied: dict[str, Any] = tidy(params)
    except RecursionError as error:
        raise A2aError(INVALID_PARAMS, str(error)) from error
    return tidied


def _id(envelope: dict[str, Any]) -> str | int | float | None:
    """Return a request's id; one without, to which nobody could answer, is none of this protocol."""
    id = envelope.get("id")
    if type(id) not in (str, int, float):
        raise A2aError(INVALID_REQUEST, "a request needs an id")
    return id


def _response(id: Any, **said: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, **said}


def _agent(mesh: Mesh, call: Call, params: dict[str, Any]) -> AgentConfig:
    """Return which agent is meant: by the path, by the tenant, or because there is no other."""
    tenant, path = read(params, Tenancy).tenant, call.part("agent")
    if tenant and path and tenant != path:
        raise A2aError(INVALID_PARAMS, f"the tenant {tenant!r} is not the agent of this address", field="tenant")
    name = path or tenant
    known = mesh.agents
    if not name:
        seen = known_to(call.holder, known.values())
        if len(seen) != 1:
            raise A2aError(
                INVALID_PARAMS, "say in tenant which agent is meant; the agent card has them", field="tenant"
            )
        return seen[0]
    if name not in known or not call.holder.knows(name):
        raise A2aError(INVALID_PARAMS, f'there is no agent "{name}"', field="tenant")
    return known[name]


def known_to(holder: Holder, agents: Iterable[AgentConfig]) -> list[AgentConfig]:
    """Return the agents that a holder may know of."""
    return [agent for agent in agents if holder.knows(agent.name)]


def _require(holder: Holder, operation: Operation) -> None:
    """Raise A2aError where a token has not the scope; what one has sent oneself can always be looked at."""
    if not (holder.may("talk") or (operation.needs == "see" and holder.may("read"))):
        needed = '"talk"' if operation.needs == "talk" else '"read" or "talk"'
        raise A2aError(PERMISSION_DENIED, f'the token "{holder.name}" has not the scope {needed}')
