"""Reads a JSON object member by member, so that whatever is wrong has the name of its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from clawmesh.api.openai.fault import Rejection, invalid

T = TypeVar("T")


class Fields:
    """The members of an object at `path`; what is null counts as absent, what nobody asks for is not looked at.

    Every method raises Rejection, with the member's place as `param`, where it is of another type.
    """

    __slots__ = ("_members", "_path")

    def __init__(self, value: Any, path: str = "") -> None:
        self._path = path
        self._members: Mapping[str, Any] = _convert(value, dict[str, Any], path)

    @classmethod
    def parse(cls, body: bytes) -> Fields:
        """Read a request's body; raises Rejection where that is no JSON object."""
        try:
            return cls(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise invalid(f"the body cannot be read: {error}") from error
        except RecursionError as error:
            raise invalid("the body is nested too deeply") from error

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def place(self, name: str) -> str:
        """Return a member's place as `param` writes it: `messages[0].content`."""
        return f"{self._path}.{name}" if self._path else name

    def value(self, name: str) -> Any:
        """Return a member as it is; None where there is none."""
        return self._members.get(name)

    def get(self, name: str, type: type[T]) -> T | None:
        value: T | None = self.any(name, type)
        return value

    def any(self, name: str, type: Any) -> Any:
        """Return a member of one of several types, or within bounds; None where there is none."""
        value = self._members.get(name)
        return None if value is None else _convert(value, type, self.place(name))

    def need(self, name: str, type: type[T]) -> T:
        value = self.get(name, type)
        if value is None:
            raise self.wrong(name, "is required")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.get(name, bool)
        return default if value is None else value

    def object(self, name: str) -> Fields | None:
        value = self._members.get(name)
        return None if value is None else Fields(value, self.place(name))

    def objects(self, name: str) -> Sequence[Fields]:
        items = self.any(name, list[Any]) or []
        return [Fields(item, f"{self.place(name)}[{index}]") for index, item in enumerate(items)]

    def wrong(self, name: str, what: str, code: str | None = None) -> Rejection:
        """Return what there is to raise about a member: `what` follows on its name."""
        place = self.place(name)
        return invalid(f"{place} {what}", place, code)

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Raise Rejection for the first of these members that asks for anything; null, false, 0 and nothing do not."""
        for name, reason in reasons.items():
            if self._members.get(name):
                raise self.wrong(name, reason, "unsupported_parameter")


def _convert(value: Any, type: Any, place: str) -> Any:
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        raise invalid(f"{place or 'the body'}: {error}", place or None) from error
