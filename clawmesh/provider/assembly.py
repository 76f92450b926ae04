"""Puts a reply together: whole bodies and streams of every protocol end here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from clawmesh.abc.backend import Reply, Stop
from clawmesh.ids import Ids
from clawmesh.messages import Emit, Message, Part, Piece, Reasoning, Text, ToolCall, Usage

# Stops after which the last tool call may be half written.
CUTS: frozenset[Stop] = frozenset({"length", "context_window", "content_filter", "refusal"})
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class Voice:
    """Passes pieces on as they arrive, and remembers what has been said."""

    __slots__ = ("_emit", "reasoned", "spoke")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.spoke = False
        self.reasoned = False

    def text(self, text: str) -> None:
        self.spoke = True
        self._emit(Text(text))

    def reasoning(self, text: str) -> None:
        self.reasoned = True
        self._emit(Reasoning(text))

    def finish(self, parts: Iterable[Part]) -> None:
        """Pass on what no piece has said yet: the calls, and everything of an answer that came as a whole."""
        for part in parts:
            if self._due(part):
                self._emit(part)

    def _due(self, part: Piece) -> bool:
        if isinstance(part, Text):
            return not self.spoke
        if isinstance(part, Reasoning):
            return bool(part.text) and not self.reasoned
        return isinstance(part, ToolCall)


class Ending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an answer ended, as the provider says it, with its `stop` in our words."""

    stop: Stop
    detail: str = ""
    usage: Usage = Usage()
    model: str = ""
    id: str = ""


def conclude(parts: Iterable[Part], ending: Ending, voice: Voice, ids: Ids) -> Reply:
    """Return the whole reply and pass on what of it has not been said.

    A call whose arguments were cut in half is left out, because it must never run, and the reply then ended by its
    length, whatever the provider says. A call without an id, or with one that another call of the same reply has, gets
    a fresh one. A reply with calls asks for them to be made, whatever word the provider used.
    """
    given = tuple(parts)
    whole = tuple([part for part in given if not _is_cut(part, ending.stop)])
    named = tuple(_calls_with_ids(whole, ids))
    voice.finish(named)
    return Reply(
        message=Message("assistant", named),
        stop=_agreeing(ending.stop, named, cut=len(whole) < len(given)),
        stop_detail=ending.detail,
        usage=ending.usage,
        model=ending.model,
        id=ending.id,
    )


def is_object(arguments: str) -> bool:
    """Tell whether a text is one whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(arguments), dict)
    except msgspec.DecodeError:
        return False


def as_object(arguments: str) -> msgspec.Raw | dict[str, str]:
    """Return arguments as the JSON object that some protocols want back, also where the model wrote something else."""
    text = arguments.strip() or "{}"
    return msgspec.Raw(text.encode()) if is_object(text) else {"invalid": arguments}


def _is_cut(part: Part, stop: Stop) -> bool:
    if type(part) is not ToolCall or is_object(part.arguments):
        return False
    return stop in CUTS or _is_open(part.arguments)


def _is_open(text: str) -> bool:
    """Tell whether a JSON text ends inside a string, a list or an object."""
    rest = STRING.sub("", text)
    return '"' in rest or sum(map(rest.count, "{[")) > sum(map(rest.count, "}]"))


def _calls_with_ids(parts: Iterable[Part], ids: Ids) -> Iterator[Part]:
    seen = {""}
    for part in parts:
        if isinstance(part, ToolCall):
            fresh = ids.new("call") if part.id in seen else part.id
            seen.add(fresh)
            yield ToolCall(fresh, part.name, part.arguments.strip() or "{}")
        else:
            yield part


def _agreeing(stop: Stop, parts: tuple[Part, ...], *, cut: bool) -> Stop:
    if stop not in ("end", "tool_calls"):
        return stop
    if cut:
        return "length"
    return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "end"
