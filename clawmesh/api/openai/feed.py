"""What an agent says, between the mesh, which never waits, and a client, which reads as fast as it can."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from clawmesh.api.openai.fault import SERVER, Fault
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Piece, Reasoning, Retraction, Text, ToolCall, ToolResult

# What a piece takes besides its text.
PIECE_BYTES = 100


class Mark(Enum):
    STEP = "step"


STEP: Final = Mark.STEP
"""Stands between what was said before the agent used its tools and what was said after."""
Said: TypeAlias = Text | Reasoning | Literal[Mark.STEP]
End: TypeAlias = Outcome | Fault


class Feed:
    """Takes pieces from a turn and gives them to one writer; `stop` ends the work.

    Of an answer that starts again, what was not yet taken is dropped. Where text of it was, the client has read what
    nobody said: then the work is stopped, and the end is a fault. What it read of the agent's thoughts may stay.

    No more than `bound` bytes wait: a client that is so far behind is given up. What an agent written as code says is
    remembered to its end, since it may say what it does, and then what its answer is.
    """

    __slots__ = ("_bound", "_end", "_news", "_size", "_spoke", "_taken", "_texts", "_waiting", "stop")

    def __init__(self, bound: int, stop: Callable[[], None], *, coded: bool = False) -> None:
        self.stop = stop
        self._bound = bound
        self._size = 0
        self._waiting: list[Said] = []
        self._end: End | None = None
        self._news: Future[None] | None = None
        self._taken = False  # whether text of this step was taken
        self._spoke = False
        self._texts: list[str] | None = [] if coded else None

    def hear(self, piece: Piece) -> None:
        """Take a piece, as the mesh's `emit`."""
        kind = piece.__class__
        if kind is Text or kind is Reasoning:
            if piece.text and self._end is None:  # type: ignore[union-attr]
                self._add(piece)  # type: ignore[arg-type]
        elif kind is ToolCall or kind is ToolResult:
            self._mark()
        elif kind is Retraction:
            self._retract(piece)  # type: ignore[arg-type]

    def finish(self, end: End) -> None:
        """Note how it ended; the first end counts."""
        if self._end is None:
            self._end = end
            self.wake()

    @property
    def ended(self) -> bool:
        return self._end is not None

    def told(self, answer: str) -> bool:
        """Whether the text of an answer is among what was heard: a model's always is, if anything was."""
        return self._spoke if self._texts is None else "".join(self._texts).endswith(answer)

    async def news(self) -> None:
        """Wait until there is something to take, or somebody wakes the writer."""
        if not self._waiting and self._end is None:
            self._news = get_running_loop().create_future()
            await self._news

    def wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def take(self) -> tuple[Sequence[Said], End | None]:
        """Return what waits, and how it ended, if it has."""
        waiting = self._waiting
        if waiting:
            self._waiting, self._size = [], 0
            for said in waiting:
                if said is STEP:
                    self._taken = False
                elif said.__class__ is Text:
                    self._taken = True
        return waiting, self._end

    def _add(self, piece: Text | Reasoning) -> None:
        if not piece.text.isascii():
            piece = _sound(piece)
        if piece.__class__ is Text:
            self._spoke = True
            if self._texts is not None:
                self._texts.append(piece.text)
        self._size += len(piece.text) + PIECE_BYTES
        if self._size > self._bound:
            self._break(f"more than {self._bound} bytes wait to be sent", "too_far_behind")
            return
        self._waiting.append(piece)
        self.wake()

    def _mark(self) -> None:
        if not (self._waiting and self._waiting[-1] is STEP):
            self._waiting.append(STEP)

    def _retract(self, retraction: Retraction) -> None:
        last = max((at for at, said in enumerate(self._waiting) if said is STEP), default=None)
        if last is None and self._taken:
            self._break(f"the model's answer broke off after some of it was sent: {retraction.reason}", "retracted")
            return
        del self._waiting[0 if last is None else last + 1 :]
        self._spoke = False
        # Thoughts that the client has read are apart from those that follow.
        self._waiting.append(STEP)

    def _break(self, message: str, code: str) -> None:
        self._waiting.clear()
        self.finish(Fault(status=502, message=message, type=SERVER, code=code, again=False))
        self.stop()


def _sound(piece: Text | Reasoning) -> Text | Reasoning:
    """Return a piece without lone surrogates, which an agent written as code may say, and UTF-8 has not."""
    try:
        piece.text.encode()
    except UnicodeEncodeError:
        return replace(piece, text=piece.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return piece
