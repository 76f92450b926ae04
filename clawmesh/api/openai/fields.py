"""Reads a JSON object member by member, so that whatever is wrong has the name of its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from clawmesh.api.openai.fault import Rejection, invalid

T = TypeVar("T")
NULL = b"null"


class Fields:
    """The members of an object at `path`; what is null counts as absent, what nobody asks for is not looked at.

    Every method raises Rejection, with the member's place as `param`, where it is of another type.
    """

    __slots__ = ("_members", "_path")

    def __init__(self, data: bytes | Raw, path: str = "") -> None:
        self._path = path
        members = decode(data, dict[str, Raw], path or None)
        self._members: Mapping[str, Raw] = {name: raw for name, raw in members.items() if bytes(raw) != NULL}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def place(self, name: str) -> str:
        """Return a member's place as `param` writes it: `messages[0].content`."""
        return f"{self._path}.{name}" if self._path else name

    def raw(self, name: str) -> Raw | None:
        return self._members.get(name)

    def get(self, name: str, type: type[T]) -> T | None:
        raw = self._members.get(name)
        return None if raw is None else decode(raw, type, self.place(name))

    def any(self, name: str, type: Any) -> Any:
        """Return a member of one of several types; None where there is none."""
        raw = self._members.get(name)
        return None if raw is None else decode(raw, type, self.place(name))

    def need(self, name: str, type: type[T]) -> T:
        value = self.get(name, type)
        if value is None:
            raise self.wrong(name, "is required")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.get(name, bool)
        return default if value is None else value

    def object(self, name: str) -> Fields | None:
        raw = self._members.get(name)
        return None if raw is None else Fields(raw, self.place(name))

    def objects(self, name: str) -> Sequence[Fields]:
        items = self.get(name, list[Raw]) or []
        return [Fields(item, f"{self.place(name)}[{index}]") for index, item in enumerate(items)]

    def wrong(self, name: str, what: str, code: str | None = None) -> Rejection:
        """Return what there is to raise about a member: `what` follows on its name."""
        place = self.place(name)
        return invalid(f"{place} {what}", place, code)

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Raise Rejection for the first of these members that asks for anything; null, false, 0 and nothing do not."""
        for name in self._asked(reasons):
            raise self.wrong(name, reasons[name], "unsupported_parameter")

    def _asked(self, names: Mapping[str, str]) -> Iterator[str]:
        return (name for name in names if self.any(name, Any))


def decode(data: bytes | Raw, type: Any, param: str | None) -> Any:
    """Return what a JSON text says; raises Rejection where it is none, or of another type."""
    try:
        return _decoder(type).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise invalid(f"{param or 'the body'}: {error}", param) from error
    except RecursionError as error:
        raise invalid(f"{param or 'the body'} is nested too deeply", param) from error


@cache
def _decoder(type: Any) -> msgspec.json.Decoder[Any]:
    """Return what reads a type, of which there are few; to make it takes longer than to use it."""
    return msgspec.json.Decoder(type)
