"""Lines that a person types, or that come through a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clawmesh.agent.threads import Threads
from clawmesh.config.location import prepare
from clawmesh.errors import UsageError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyPressEvent

LINE_BYTES = 1024 * 1024
CHUNK = 64 * 1024


async def lines(history: Path, words: Sequence[str]) -> AsyncIterator[str]:
    """Yield what is entered until the input ends; `words` are completed, `history` keeps what was typed.

    Raises:
        UsageError: the input is no terminal and cannot be read, is not UTF-8, or has a line that is too long.
        StorageError: there is no place for the history.
    """
    if not sys.stdin.isatty():
        async for line in _piped(sys.stdin.fileno()):
            yield line
        return
    session = _session(history, words)
    while True:
        try:
            typed = await session.prompt_async("> ")
            # A terminal may send what is not UTF-8, which comes as surrogates that nobody could encode.
            yield typed.encode(errors="replace").decode()
        except KeyboardInterrupt:
            # Ctrl-C at the prompt drops what was typed, as in a shell; Ctrl-D leaves.
            continue
        except EOFError:
            return


async def _piped(descriptor: int) -> AsyncIterator[str]:
    # Not through sys.stdin: its lock, held by a thread that waits for input, would break the end of the process.
    threads, rest, number = Threads("input", 1), b"", 0
    while chunk := await threads.run(partial(_read, descriptor)):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield _decoded(line, number)
        if len(rest) > LINE_BYTES:
            break
    if rest:
        yield _decoded(rest, number + 1)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}") from error


def _decoded(line: bytes, number: int) -> str:
    if len(line) > LINE_BYTES:
        raise UsageError(f"standard input, line {number}: is longer than {LINE_BYTES} bytes")
    try:
        return line.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input, line {number}: is not UTF-8") from error


def _session(history: Path, words: Sequence[str]) -> PromptSession[str]:
    # Imported late: 100 ms that only a chat at a terminal needs.
    from prompt_toolkit import PromptSession  # noqa: PLC0415
    from prompt_toolkit.completion import WordCompleter  # noqa: PLC0415
    from prompt_toolkit.history import FileHistory  # noqa: PLC0415
    from prompt_toolkit.key_binding import KeyBindings  # noqa: PLC0415

    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def _newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    prepare(history.parent)
    history.touch(mode=0o600, exist_ok=True)
    return PromptSession(
        history=FileHistory(str(history)),
        completer=WordCompleter(list(words), sentence=True),
        complete_while_typing=False,
        key_bindings=keys,
        multiline=True,
        prompt_continuation="  ",
    )
