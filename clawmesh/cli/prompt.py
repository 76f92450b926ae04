"""Lines that a person types, or that come through a pipe."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from clawmesh.config.location import prepare

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyPressEvent

LINE_CHARACTERS = 1024 * 1024


async def lines(history: Path, words: Sequence[str]) -> AsyncIterator[str]:
    """Yield what is entered until the input ends; `words` are completed, `history` keeps what was typed."""
    if not sys.stdin.isatty():
        while line := await anyio.to_thread.run_sync(sys.stdin.readline, LINE_CHARACTERS, abandon_on_cancel=True):
            yield line.rstrip("\n")
        return
    session = _session(history, words)
    while True:
        try:
            yield await session.prompt_async("> ")
        except KeyboardInterrupt:
            # Ctrl-C at the prompt drops what was typed, as in a shell; Ctrl-D leaves.
            continue
        except EOFError:
            return


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
