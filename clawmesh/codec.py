"""Values to bytes and back: msgpack, by field names, for the journal and for other processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from clawmesh.errors import StorageError

T = TypeVar("T")
_encode = msgspec.msgpack.Encoder().encode


def pack(value: Any) -> bytes:
    """Return a value as bytes; lone surrogates, which models and plugins may say and UTF-8 has not, become U+FFFD."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_sound(msgspec.to_builtins(value, builtin_types=(bytes,))))


def unpacker(type: type[T], what: str) -> Callable[[bytes], T]:
    """Return a function that makes a value of this type from bytes, or raises StorageError: they are no `what`."""
    decode = msgspec.msgpack.Decoder(type).decode

    def unpack(data: bytes) -> T:
        try:
            return decode(data)
        except msgspec.MsgspecError as error:
            raise StorageError(f"this is no {what}: {error}") from error

    return unpack


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_sound(key): _sound(each) for key, each in value.items()}
    return [_sound(each) for each in value] if isinstance(value, list | tuple) else value
