"""`clawmesh ask`: one question, one answer."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from typing import Any

import anyio
from msgspec import to_builtins

from clawmesh.cli.console import Console, fault
from clawmesh.cli.loop import run
from clawmesh.cli.opening import compared, opened
from clawmesh.cli.view import View
from clawmesh.cluster.access import Access
from clawmesh.errors import FailedError, UsageError
from clawmesh.mesh.address import Address
from clawmesh.mesh.envelope import Outcome
from clawmesh.messages import Image, Message, Part, Report, Text

IMAGE_BYTES = 20 * 1024 * 1024
INPUT_CHARACTERS = 16 * 1024 * 1024
_IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_CUT = {
    "length": "the answer was cut off at max_tokens",
    "context_window": "the model's context window is full",
    "refusal": "the model refused",
    "content_filter": "the provider's filter ended the answer",
}


def ask(arguments: argparse.Namespace, console: Console) -> int:
    """Ask an agent; its answer goes to standard output, whatever else there is to say to standard error."""
    message = Message("user", (*_text(arguments.message), *map(_image, arguments.image)))

    async def main() -> int:
        async with opened(arguments, console) as access:
            return await _ask(access, arguments, console, message)

    return run(main)


async def _ask(access: Access, arguments: argparse.Namespace, console: Console, message: Message) -> int:
    address = Address.parse(arguments.agent, session=access.ids.new("s"))
    view = View(console, quiet=arguments.quiet)
    with anyio.move_on_after(arguments.seconds):
        await compared(access, address.session, arguments, console)
    id = access.ids.new("env")
    outcome = await access.ask(address, message, id=id, seconds=arguments.seconds, emit=view.piece)
    error = outcome.error or FailedError("no answer")
    if console.as_json:
        console.json({"id": id, **described(address, outcome, view)})
        if outcome.message is None:
            console.report(error)
        return 0 if outcome.message else error.exit_code
    if outcome.message is None:
        raise error
    view.finish(outcome.message.text)
    if outcome.report and outcome.report.stop in _CUT:
        console.note(f"clawmesh: {_CUT[outcome.report.stop]}")
    return 0


def described(address: Address, outcome: Outcome, view: View) -> dict[str, Any]:
    """Return an answer, or how it failed, as `--json` shows it; `tool_calls` are those of the whole turn."""
    if outcome.message is None:
        return {"session": str(address), "error": fault(outcome.error), "tool_calls": view.calls}
    answer = {"session": str(address), "text": outcome.message.text, "reasoning": outcome.message.reasoning}
    return {**answer, **to_builtins(outcome.report or Report()), "tool_calls": view.calls}


def _text(given: str | None) -> tuple[Part, ...]:
    if given is not None and given != "-":
        return (Text(given),)
    if given is None and sys.stdin.isatty():
        raise UsageError("there is no message; give it as an argument, or on standard input")
    try:
        text = sys.stdin.read(INPUT_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not UTF-8") from error
    if len(text) > INPUT_CHARACTERS:
        raise UsageError(f"standard input is longer than {INPUT_CHARACTERS} characters")
    if not text.strip():
        raise UsageError("the message is empty")
    return (Text(text),)


def _image(name: str) -> Image:
    try:
        # Not blocking: what somebody gives as an image may be a pipe that nobody writes to.
        with open(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read(IMAGE_BYTES + 1) if regular else b""
    except OSError as error:
        raise UsageError(f"cannot read the image {name}: {error.strerror}") from error
    if not 0 < len(data) <= IMAGE_BYTES:
        raise UsageError(f"the image {name} is empty, no file, or larger than {IMAGE_BYTES // 1024**2} MB")
    for magic, media_type in _IMAGES.items():
        if data.startswith(magic):
            return Image(media_type, data)
    raise UsageError(f"{name} is no image that models read; expected PNG, JPEG, GIF or WebP")
