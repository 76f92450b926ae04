"""How far long work has come: a bar on a terminal, a line for each part of it elsewhere."""

from __future__ import annotations

from types import TracebackType

from clawmesh.cli.console import Console

WIDTH = 24


class Bar:
    """Draws on standard error; what is printed while it is open would cross it."""

    def __init__(self, console: Console, verb: str) -> None:
        self._console = console
        self._verb = verb
        self._shown = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._console.attended and self._shown:
            self._console.status("")

    def show(self, what: str, share: float) -> None:
        """Say what is being done, and which share of all is done."""
        text = f"{self._verb} {what}"
        if self._console.attended:
            full = round(min(share, 1.0) * WIDTH)
            text = f"{'█' * full}{'░' * (WIDTH - full)} {share:4.0%}  {text}"
        if text == self._shown:
            return
        self._shown = text
        if self._console.attended:
            self._console.status(text)
        else:
            self._console.note(text)
