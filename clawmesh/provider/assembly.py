"""Puts a reply together: whole bodies and streams of every protocol end here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from clawmesh.abc.backend import Emit, Reply, Stop
from clawmesh.ids import Ids
from clawmesh.messages import Message, Part, Piece, Reasoning, Text, ToolCall, Usage

# Stops after which the last tool call may be half written.
CUTS: frozenset[Stop] = frozenset({"length", "context_window", "content_filter", "refusal"})


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


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer ended, as the provider says it, with its `stop` in our words."""

    stop: Stop
    detail: str = ""
    usage: Usage = Usage()
    model: str = ""
    id: str = ""


def conclude(parts: Iterable[Part], ending: Ending, voice: Voice, ids: Ids) -> Reply:
    """Return the whole reply and pass on what of it has not been said.

    A call whose arguments were cut in half is left out: it must never run. A call without an id, or with one that
    another call of the same reply has, gets a fresh one. The stop agrees with what is there: a reply with calls
    asks for them to be made, whatever word the provider used.
    """
    whole = tuple(_calls_with_ids(_without_cut_calls(parts, ending.stop), ids))
    voice.finish(whole)
    return Reply(
        message=Message("assistant", whole),
        stop=_agreeing(ending.stop, whole),
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


def _without_cut_calls(parts: Iterable[Part], stop: Stop) -> Iterator[Part]:
    for part in parts:
        if not isinstance(part, ToolCall):
            yield part
        elif not part.arguments.strip() and stop not in CUTS:
            yield ToolCall(part.id, part.name)
        elif stop not in CUTS or is_object(part.arguments):
            yield part


def _calls_with_ids(parts: Iterable[Part], ids: Ids) -> Iterator[Part]:
    seen = {""}
    for part in parts:
        if isinstance(part, ToolCall):
            call = ToolCall(ids.new("call"), part.name, part.arguments) if part.id in seen else part
            seen.add(call.id)
            yield call
        else:
            yield part


def _agreeing(stop: Stop, parts: tuple[Part, ...]) -> Stop:
    if stop not in ("end", "tool_calls"):
        return stop
    return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "end"
