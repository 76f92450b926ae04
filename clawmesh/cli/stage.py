"""The demonstration's stage: what goes over the mesh, shown as it happens."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from msgspec import to_builtins

from clawmesh.cli.console import Console
from clawmesh.cli.view import call_line
from clawmesh.mesh.envelope import Envelope, Outcome
from clawmesh.messages import Piece, Reasoning, Text, ToolCall, ToolResult

COLOURS = ("cyan", "green", "magenta", "yellow", "blue")
# Their envelopes show on the stage themselves, so the tool calls behind them need no line.
MESH_TOOLS = ("ask_agent", "send_agent", "ask_agents", "publish")
OUTSIDE = "you"
INDENT = 4
ARROW = " → "
NARROWEST = 30


class Stage:
    """Prints a line for each message, thought and tool call; the answer to the person streams."""

    def __init__(self, console: Console, agents: Sequence[str]) -> None:
        self._console = console
        self._colours = {agent: COLOURS[index % len(COLOURS)] for index, agent in enumerate(agents)}
        self._thoughts: dict[str, list[str]] = {}
        self._calls: dict[str, ToolCall] = {}
        self._streaming = False
        self._messages = 0
        self._tools = 0

    def accepted(self, envelope: Envelope) -> None:
        self._messages += 1
        sender = envelope.sender.partition("/")[0]
        if sender == OUTSIDE:
            self._console.print()
        self._line(envelope, (sender, envelope.to.agent), envelope.message.text, deeper=-1)

    def piece(self, envelope: Envelope, piece: Piece) -> None:
        match piece:
            case Reasoning(text):
                self._thoughts.setdefault(envelope.id, []).append(text)
            case Text(text) if envelope.sender == OUTSIDE:
                self._think(envelope)
                if not self._streaming:
                    self._console.print(f"{self._name(envelope.to.agent)} → {OUTSIDE}  ", end="")
                    self._streaming = True
                self._console.stream(text.replace("\n\n", "\n"), "bold")
            case ToolCall():
                self._think(envelope)
                self._calls[f"{envelope.id}{piece.id}"] = piece
            case ToolResult() if piece.name not in MESH_TOOLS:
                self._tools += 1
                call = self._calls[f"{envelope.id}{piece.call}"]
                self._line(envelope, (envelope.to.agent,), call_line({"arguments": call.arguments}, piece))

    def ended(self, envelope: Envelope, outcome: Outcome) -> None:
        self._think(envelope)
        self._break()
        if envelope.sender != OUTSIDE:
            said = outcome.message.text if outcome.message else f"{outcome.ending}: {outcome.error}"
            self._line(envelope, (envelope.to.agent, envelope.sender.partition("/")[0]), said)

    def close(self, seconds: float) -> None:
        """Say what it came to, and what to try next."""
        print_, style = self._console.print, self._console.style
        print_()
        count = f"{len(self._colours)} agents, {self._messages} messages, {self._tools} tool calls"
        print_(style(f"{count}, {seconds:.1f} s, offline.", "dim"))
        print_("Make it yours:  clawmesh demo --config > clawmesh.toml    Start afresh:  clawmesh init")

    def _think(self, envelope: Envelope) -> None:
        if thoughts := self._thoughts.pop(envelope.id, None):
            self._line(envelope, (envelope.to.agent,), f"thinks: {''.join(thoughts)}", style="dim")

    def _line(self, envelope: Envelope, names: tuple[str, ...], text: str, *, deeper: int = 0, style: str = "") -> None:
        """Print who speaks (to whom), indented as deep as the message lies, and what; long lines hang below it."""
        self._break()
        margin = " " * INDENT * max(0, len(envelope.waiting) + deeper)
        gap = "  " if len(names) > 1 else " "
        hanging = margin + " " * len(f"{ARROW.join(names)}{gap}")
        width = max(NARROWEST, self._console.width - len(hanging))
        lines = wrap(self._console.clean(text), width) if self._console.interactive else [self._console.clean(text)]
        styled = [self._console.style(line, *([style] if style else [])) for line in lines]
        self._console.print(margin + ARROW.join(map(self._name, names)) + gap + f"\n{hanging}".join(styled))
        self._console.flush()

    def _break(self) -> None:
        if self._streaming:
            self._console.print()
        self._streaming = False

    def _name(self, agent: str) -> str:
        return self._console.style(agent, self._colours[agent]) if agent in self._colours else agent


class JsonStage:
    """Prints an object a line for everything that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def accepted(self, envelope: Envelope) -> None:
        message = {"id": envelope.id, "from": envelope.sender, "to": str(envelope.to), "text": envelope.message.text}
        self._console.json({"event": "message", **message})

    def piece(self, envelope: Envelope, piece: Piece) -> None:
        self._console.json({"event": "piece", "id": envelope.id, "piece": to_builtins(piece)})

    def ended(self, envelope: Envelope, outcome: Outcome) -> None:
        said = {"text": outcome.message.text} if outcome.message else {"error": str(outcome.error)}
        self._console.json({"event": "outcome", "id": envelope.id, "outcome": outcome.ending, **said})

    def close(self, seconds: float) -> None:
        self._console.json({"event": "end", "seconds": round(seconds, 3)})
