"""Tool calls as chat completions stream them: in fragments, told apart by index, id or name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from clawmesh.errors import ReplyError
from clawmesh.provider.assembly import is_object


class Function(Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class CallDelta(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: Any = None


class Call:
    """A tool call that is being written."""

    __slots__ = ("arguments", "extra", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.extra: Any = None

    @property
    def text(self) -> str:
        return "".join(self.arguments)

    def grow(self, delta: CallDelta, function: Function) -> None:
        self.id = self.id or delta.id or ""
        self.name = self.name or function.name or ""
        self.extra = delta.extra_content or self.extra
        arguments = function.arguments
        if isinstance(arguments, str):
            self.arguments.append(arguments)
        elif arguments is not None:
            self.arguments.append(msgspec.json.encode(arguments).decode())


class Calls:
    """The calls of one answer, in the order in which they begin."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def add(self, deltas: Iterable[CallDelta]) -> None:
        for delta in deltas:
            function = delta.function or Function()
            # A server which fills in every field sends an empty call where there is none.
            if function.name or function.arguments:
                self._place(delta, function).grow(delta, function)

    def __iter__(self) -> Iterator[Call]:
        for call in self._calls:
            if not call.name:
                raise ReplyError("the answer holds arguments for a tool call that has no name")
            yield call

    def extras(self, message: Any) -> dict[str, Any]:
        """Return what must be given back beside the calls: Google's thought signatures, by the id of their call."""
        calls = {call.id: call.extra for call in self._calls if call.extra and call.id}
        fields = {"extra_content": message, "calls": calls}
        return {name: value for name, value in fields.items() if value}

    def _place(self, delta: CallDelta, function: Function) -> Call:
        call = self._current(delta)
        if call is None or self._begins(call, delta, function):
            call = Call(delta.index)
            self._calls.append(call)
        return call

    def _current(self, delta: CallDelta) -> Call | None:
        """Return the call that a fragment may continue: the last with its index, or its id if it has no index."""
        for call in reversed(self._calls):
            if delta.index is not None and call.index == delta.index:
                return call
            if delta.index is None and (not delta.id or call.id == delta.id):
                return call
        return None

    @staticmethod
    def _begins(call: Call, delta: CallDelta, function: Function) -> bool:
        """Tell whether a fragment begins another call under an index in use, as servers do that index all calls 0."""
        if not function.name or not call.name:
            return False
        if delta.id and call.id:
            return delta.id != call.id
        return delta.index is None or is_object(call.text)
