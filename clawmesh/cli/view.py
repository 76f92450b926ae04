"""How an answer looks while it arrives."""

from __future__ import annotations

from typing import Any

from msgspec import DecodeError
from msgspec.json import decode, encode

from clawmesh.cli.console import Console
from clawmesh.cli.table import short
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
        self._said: list[str] = []
        self.calls: list[dict[str, Any]] = []

    def piece(self, piece: Piece) -> None:
        call: dict[str, Any] = {}
        match piece:
            case Text(text):
                self._said.append(text)
            case ToolCall():
                self.calls.append({"id": piece.id, "name": piece.name, "arguments": piece.arguments})
            case ToolResult():
                self._said.clear()
                call = self._called(piece)
                call.update(result=piece.text, failed=piece.failed)
            case Retraction():
                self._said.clear()
                # Each call of a whole step has its result by now.
                self.calls = [call for call in self.calls if "result" in call]
        if self._live:
            self._show(piece, call)

    def finish(self, answer: str) -> None:
        """End the answer; a terminal that has not seen it stream gets it now, as not every agent streams."""
        if not self._live:
            self._console.print(answer)
            return
        self._console.end_line()
        if answer != "".join(self._said):
            self._console.stream(answer)
            self._console.end_line()

    def _called(self, result: ToolResult) -> dict[str, Any]:
        """Return the first call of that id without a result: providers repeat ids, and leave them empty."""
        for call in self.calls:
            if call["id"] == result.call and "result" not in call:
                return call
        self.calls.append({"id": result.call, "name": result.name})
        return self.calls[-1]

    def _show(self, piece: Piece, call: dict[str, Any]) -> None:
        match piece:
            case Text(text):
                self._turn_to(Text)
                self._console.stream(text)
            case Reasoning(text) if not self._quiet:
                self._turn_to(Reasoning)
                self._console.stream(text, "dim")
            case ToolResult() if not self._quiet:
                self._turn_to(ToolResult)
                self._console.stream(call_line(call, piece), "red" if piece.failed else "dim")
            case Retraction(reason):
                self._turn_to(Retraction)
                self._console.stream(f"[starting again: {reason}]", "yellow")

    def _turn_to(self, kind: type) -> None:
        """Begin a new line where another kind of piece begins."""
        if kind is not self._kind or kind in (ToolResult, Retraction):
            self._console.end_line()
        self._kind = kind


def call_line(call: dict[str, Any], result: ToolResult) -> str:
    """Return a tool call and what it gave as one line."""
    return f"· {result.name}({short(named(call.get('arguments', '')), ARGUMENTS)}) → {short(result.text, RESULT)}"


def named(arguments: str) -> str:
    """Return JSON arguments as a person writes a call; what is no object stays as it is."""
    try:
        values = decode(arguments or "{}", type=dict[str, Any])
    except DecodeError:
        return arguments
    return ", ".join(f"{name}={encode(value).decode()}" for name, value in values.items())
