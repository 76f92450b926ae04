"""How an answer looks while it arrives."""

from __future__ import annotations

from typing import Any

from msgspec import DecodeError
from msgspec.json import decode, encode

from clawmesh.cli.console import Console
from clawmesh.messages import Piece, Reasoning, Retraction, Text, ToolCall, ToolResult

ARGUMENTS = 100
RESULT = 100


class View:
    """Prints the pieces of one answer: reasoning dim, tool calls and their results a line each, text as it comes.

    Into a pipe goes only the answer: `finish` writes it whole, since what streamed before it may have been void.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live = console.interactive and not console.as_json
        self._kind: type | None = None
        self._fresh = True
        self.calls: dict[str, dict[str, Any]] = {}

    def piece(self, piece: Piece) -> None:
        if isinstance(piece, ToolCall):
            self.calls[piece.id] = {"id": piece.id, "name": piece.name, "arguments": piece.arguments}
        elif isinstance(piece, ToolResult):
            self.calls.setdefault(piece.call, {}).update(result=piece.text, failed=piece.failed)
        if self._live:
            self._show(piece)

    def finish(self, answer: str) -> None:
        if self._live:
            self._line()
        else:
            self._console.print(answer)

    def _show(self, piece: Piece) -> None:
        match piece:
            case Text(text):
                self._turn_to(Text)
                self._stream(text)
            case Reasoning(text) if not self._quiet:
                self._turn_to(Reasoning)
                self._stream(text, "dim")
            case ToolResult() if not self._quiet:
                self._turn_to(ToolResult)
                self._stream(call_line(self.calls[piece.call], piece), "red" if piece.failed else "dim")
            case Retraction(reason):
                self._turn_to(Retraction)
                self._stream(f"[starting again: {reason}]", "yellow")

    def _turn_to(self, kind: type) -> None:
        """Begin a new line where another kind of piece begins."""
        if kind is not self._kind or kind in (ToolResult, Retraction):
            self._line()
        self._kind = kind

    def _stream(self, text: str, *styles: str) -> None:
        self._console.stream(text, *styles)
        self._fresh = text.endswith("\n") if text else self._fresh

    def _line(self) -> None:
        if not self._fresh:
            self._console.print()
        self._fresh = True


def call_line(call: dict[str, Any], result: ToolResult) -> str:
    """Return a tool call and what it gave as one line."""
    return f"· {result.name}({short(_named(call.get('arguments', '')), ARGUMENTS)}) → {short(result.text, RESULT)}"


def _named(arguments: str) -> str:
    """Return JSON arguments as a person writes a call; what is no object stays as it is."""
    try:
        values = decode(arguments or "{}", type=dict[str, Any])
    except DecodeError:
        return arguments
    return ", ".join(f"{name}={encode(value).decode()}" for name, value in values.items())


def short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
