"""Values to bytes and back: msgpack, by field names, for the journal and for other processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from clawmesh.errors import FailedError, StorageError
from clawmesh.messages import Message

T = TypeVar("T")
_encode = msgspec.msgpack.Encoder().encode


def pack(value: Any) -> bytes:
    """Return a value as bytes; lone surrogates, which models and plugins may say and UTF-8 has not, become U+FFFD.

    Raises:
        StorageError: it holds what has no form in bytes.
    """
    try:
        try:
            return _encode(value)
        except UnicodeEncodeError:
            return _encode(_sound(msgspec.to_builtins(value, builtin_types=(bytes,))))
    except (TypeError, ValueError, OverflowError) as error:
        raise StorageError(f"this cannot be kept: {error}") from error


def unpacker(type: type[T], what: str) -> Callable[[bytes], T]:
    """Return a function that makes a value of this type from bytes, or raises StorageError: they are no `what`."""
    decode = msgspec.msgpack.Decoder(type).decode

    def unpack(data: bytes) -> T:
        try:
            return decode(data)
        except msgspec.MsgspecError as error:
            raise StorageError(f"this is no {what}: {error}") from error

    return unpack


_message = unpacker(Message, "message")


def whole(message: Message) -> Message:
    """Return what a plugin made as a message, which its type checker may not have looked at, as it will be read again.

    Raises:
        FailedError: it is none.
    """
    try:
        return _message(pack(message))
    except StorageError as error:
        raise FailedError(str(error)) from error


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_sound(key): _sound(each) for key, each in value.items()}
    return [_sound(each) for each in value] if isinstance(value, list | tuple) else value
