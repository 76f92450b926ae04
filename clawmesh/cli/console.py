"""Where a command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from clawmesh.cli.table import Row, fit, join, widths
from clawmesh.errors import BackendError, ClawmeshError, ConfigError, StorageError

# A model or a plugin must not be able to move the cursor, set the window's title or write the clipboard.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What JSON need not escape, and still must reach neither a terminal nor an encoder: DEL, C1 and lone surrogates.
_UNSAFE = re.compile(r"[\x7f-\x9f\ud800-\udfff]")
_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
NO_STYLES: Mapping[str, str] = {}

COLUMNS = 80
# Ten thousand agents can have as many problems; nobody reads on after some.
PROBLEMS = 100


class Console:
    """Writes for a person at a terminal, or plainly for a pipe; `as_json` is what `--json` said.

    `interactive` says that standard output is a terminal, `attended` that standard error is one.
    """

    def __init__(
        self,
        output: IO[str],
        errors: IO[str],
        environ: Mapping[str, str],
        *,
        as_json: bool = False,
        debug: bool = False,
    ) -> None:
        self._output = output
        self._errors = errors
        self.environ = environ
        self.as_json = as_json
        self.debug = debug
        self.interactive = output.isatty()
        self.attended = errors.isatty()
        self.abandoned = False
        self._midway = False
        self._colourful = "NO_COLOR" not in environ and environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        return _columns(self._output) if self.interactive else COLUMNS

    def style(self, text: str, *styles: str) -> str:
        """Return the text in the styles named (bold, dim, red, ...) if the terminal shows them."""
        return _styled(text, styles) if self.interactive and self._colourful else text

    def print(self, text: str = "", *, end: str = "\n") -> None:
        """Write our own text; foreign text in it must have been through `clean`."""
        self._write(text + end)
        self._midway = self._midway and not end

    def stream(self, text: str, *styles: str) -> None:
        """Write a piece of foreign text at once, without its control characters where a terminal would obey them."""
        self._write(self.style(self.clean(text), *styles))
        self._midway = not text.endswith("\n") if text else self._midway
        self.flush()

    def end_line(self) -> None:
        """Let what follows begin at a line's start, after what was streamed."""
        if self._midway:
            self.print()

    def clean(self, text: str) -> str:
        """Return foreign text for `print`: without control characters, but a pipe gets it as it is."""
        return _CONTROL.sub("", text) if self.interactive else text

    def note(self, text: str, *styles: str) -> None:
        """Write a line for the person, apart from the result; the text may be foreign."""
        if self.interactive and text and not text.startswith("\n"):
            self.end_line()
        self._midway = False
        self.flush()
        if self.attended:
            text = _CONTROL.sub("", text)
            text = _styled(text, styles) if self._colourful else text
        # Where nobody hears it any more, work goes on all the same.
        with suppress(OSError):
            self._errors.write(text + "\n")
            self._errors.flush()

    def status(self, text: str) -> None:
        """Put a line of our own on the terminal behind standard error, in the place of the one before; "" clears it."""
        self._errors.write(f"\r\x1b[2K{text[: _columns(self._errors) - 1]}")
        self._errors.flush()

    def error(self, text: str) -> None:
        self.note(f"clawmesh: {text}")

    def report(self, error: ClawmeshError) -> None:
        """Say what went wrong, and what there is to know besides."""
        if isinstance(error, ConfigError) and len(error.problems) > 1:
            self.note("\n".join(map(str, error.problems[:PROBLEMS])))
            number = len(error.problems)
            hint = "; 'clawmesh config check --json' shows all" if number > PROBLEMS else ""
            self.error(f"{number:,} problems in the configuration{hint}")
        else:
            self.error(str(error))
        for note in getattr(error, "__notes__", ()):
            self.note(f"  {note}")

    def json(self, value: Any) -> None:
        """Write a value on one line; numbers that JSON does not have become null."""
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=str)
        self._write(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")

    def table(
        self,
        rows: Sequence[Row],
        *,
        head: Row = (),
        styles: Mapping[str, str] = NO_STYLES,
        spare: Sequence[str] = (),
        brief: bool = False,
    ) -> None:
        """Print columns of any text; a terminal gets them fitted to its width, as `fit` says.

        A cell that is one of the words in `styles` gets its style.
        """
        lines = [tuple(map(self.clean, row)) for row in rows]
        lines = [head, *lines] if head else lines
        if self.interactive:
            lines = fit(lines, self.width, spare, brief=brief)
        wide = [*widths(lines)[:-1], 0]
        if head:
            self.print(self.style(join(lines.pop(0), wide), "dim"))
        for row in lines:
            looks = [self.style(cell, styles[cell]) if cell in styles else cell for cell in row]
            self.print(join(row, wide, looks))

    def flush(self) -> None:
        """Write out what is buffered; if the reader has gone (`clawmesh … | head`), end this command."""
        try:
            self._output.flush()
        except OSError as error:
            self._abandon(error)

    def _write(self, text: str) -> None:
        try:
            self._output.write(text)
        except OSError as error:
            self._abandon(error)

    def _abandon(self, error: OSError) -> None:
        """Take note that nothing can be written any more; what is still buffered goes nowhere.

        Raises StorageError if there is somebody to whom that must be said.
        """
        if self.abandoned:
            return
        self.abandoned = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._output.fileno())
        if not isinstance(error, BrokenPipeError):
            raise StorageError(f"the output cannot be written: {error.strerror}") from error
        # The reader has gone: what runs ends as at a SIGTERM.
        signal.raise_signal(signal.SIGTERM)


def fault(error: Exception | None) -> dict[str, Any]:
    """Return an error as JSON shows it; of a failed model call also what the provider said."""
    facts = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, BackendError):
        failure = error.failure
        return {**facts, "backend": failure.backend, "status": failure.status, "code": failure.code}
    return facts


def _columns(terminal: IO[str]) -> int:
    # Some do not know how wide they are, and say 0.
    with suppress(OSError):
        return os.get_terminal_size(terminal.fileno()).columns or COLUMNS
    return COLUMNS


def _styled(text: str, styles: Sequence[str]) -> str:
    return f"\x1b[{';'.join(_STYLES[name] for name in styles)}m{text}\x1b[0m" if styles else text


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
    return value
