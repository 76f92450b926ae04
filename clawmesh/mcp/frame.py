"""JSON-RPC messages of clients, and what is said to them.

Source: JSON-RPC 2.0; MCP 2026-07-28, "Base Protocol", section "Messages".
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from clawmesh.mcp.fault import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcError

T = TypeVar("T")
Id: TypeAlias = int | str
VERSION = "2.0"
# Ids are kept while a request is under way, and repeated in its answer. Numbers that a double cannot hold exactly would
# come back as others.
ID_CHARACTERS = 256
ID_NUMBER = 2**53
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
encode = msgspec.json.Encoder().encode


class Frame(Struct, frozen=True):
    """One message; whatever it says besides is of no interest."""

    jsonrpc: Any = None
    method: Any = UNSET
    id: Any = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET

    @property
    def known(self) -> Id | None:
        """The id, if it is one."""
        return self.id if is_id(self.id) else None


class Request(Struct, frozen=True):
    """A request, or without an `id` a notification."""

    method: str
    id: Id | None
    params: Raw

    def read(self, type: type[T]) -> T:
        """Return the parameters as a value; raises RpcError where they are of another form."""
        return read(self.params, type)


def is_id(value: object) -> bool:
    """Whether a request can be told by this."""
    if type(value) is int:
        return abs(value) <= ID_NUMBER
    return type(value) is str and len(value) <= ID_CHARACTERS


def parse(body: bytes) -> Frame:
    """Read one message.

    Raises:
        RpcError: it is no JSON, or no object; several at once are not spoken since 2025-06-18.
    """
    try:
        return msgspec.json.decode(body, type=Frame)
    except msgspec.ValidationError as error:
        raise RpcError(
            INVALID_REQUEST, f"this is no JSON-RPC message, of which one is sent at a time: {error}"
        ) from error
    except UNREADABLE as error:
        raise RpcError(PARSE_ERROR, f"this is no JSON: {error}") from error


def request_of(frame: Frame) -> Request | None:
    """Return what a frame asks or notes; None for the answer to something that we never ask.

    Raises:
        RpcError: it is neither.
    """
    if frame.jsonrpc != VERSION:
        raise RpcError(INVALID_REQUEST, 'found no "jsonrpc": "2.0"')
    if frame.method is UNSET and (frame.result is not UNSET or frame.error is not UNSET):
        return None
    if type(frame.method) is not str:
        raise RpcError(INVALID_REQUEST, 'found no "method"')
    if frame.id is not UNSET and not is_id(frame.id):
        wanted = f"a text of at most {ID_CHARACTERS} characters or a whole number up to {ID_NUMBER}"
        raise RpcError(INVALID_REQUEST, f'found another "id" than {wanted}')
    params = Raw(b"{}") if isinstance(frame.params, UnsetType) else frame.params
    return Request(frame.method, None if frame.id is UNSET else frame.id, params)


def read(data: Raw, type: type[T]) -> T:
    """Return a part of a message as a value.

    Raises:
        RpcError: it is of another form.
    """
    try:
        return msgspec.json.decode(data, type=type)
    except UNREADABLE as error:
        raise RpcError(INVALID_PARAMS, f"these parameters cannot be read: {error}") from error


def answered(id: Id, result: dict[str, Any]) -> bytes:
    return encode({"jsonrpc": VERSION, "id": id, "result": result})


def failed(id: Id | None, error: RpcError) -> bytes:
    """Return an error; it names no request where the client's was not to be read."""
    named = {} if id is None else {"id": id}
    return encode({"jsonrpc": VERSION, **named, "error": error.body()})


def notification(method: str, params: dict[str, Any]) -> bytes:
    return encode({"jsonrpc": VERSION, "method": method, "params": params})
