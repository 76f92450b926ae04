"""What a plugin's code raised, as its author wants to see it."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from types import TracebackType

from clawmesh.plugin.source import Source


def describe(source: Source, error: BaseException) -> str:
    """Return the traceback from the plugin's own first line on, without the way there."""
    return "".join(traceback.format_exception(type(error), error, _inside(source, error.__traceback__)))


def explain(source: Source, error: BaseException) -> str:
    """Return in one line what a plugin's code raised, and on which of its lines."""
    text = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
    if isinstance(error, SystemExit):
        text = f"ends the program ({text}); a plugin is imported, not run"
    if isinstance(error, ModuleNotFoundError) and error.name:
        text += (
            f"; if it is a package, name it in a `# /// script` block and run: clawmesh plugins install {source.name}"
        )
    return f"{_place(source, error)}{text}"


def _place(source: Source, error: BaseException) -> str:
    file, line = "", 0
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno or 0
    else:
        for frame, number in traceback.walk_tb(_inside(source, error.__traceback__)):
            if _of(source, frame.f_code.co_filename):
                file, line = frame.f_code.co_filename, number
    return f"{Path(file).name}, line {line}: " if file and line else ""


def _inside(source: Source, trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and not _of(source, trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _of(source: Source, file: str) -> bool:
    return file == str(source.path) or file.startswith(f"{source.path}{os.sep}")
